//! Published ports that no rule can lead to their container.
//!
//! A rule changes a packet's addresses; it cannot make an IPv6 packet of an IPv4 one, nor lead one from `::1` out of the host:
//! the kernel drops the answer to an address that belongs to the loopback alone. So for `[::]:8080` of a container with
//! IPv4 only, and for `[::1]:8080` of everybody, the socket by which the port is claimed is served, and what comes is passed
//! on. The container then sees the bridge's address instead of the asker's, as it does with docker's proxy.
//!
//! ```text
//!   world 198.51.100.7   ── 8080 ── rules ─────────────────── 172.17.0.2:80
//!   host  ::1            ── 8080 ── socket ─ this task ────── 172.17.0.2:80
//! ```
//!
//! One task of the engine's runtime for each such port, no thread and no process. While no engine runs these ports are silent;
//! those that rules lead to a container are not.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::network::{Attachment, Protocol};
use rustix::net::sockopt::set_socket_reuseaddr;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::Networks;
use crate::error::{Error, Result};

/// How many may speak through one port at once: each is two descriptors.
const AT_ONCE: usize = 1024;
/// How long an asker by UDP is remembered after the container's last answer, as docker's proxy does.
const SILENCE: Duration = Duration::from_secs(90);
/// A pause after an error that would come again at once, such as the lack of descriptors.
const BREATH: Duration = Duration::from_millis(50);
/// No datagram is longer.
const DATAGRAM: usize = 65_535;

/// The tasks of each container.
#[derive(Debug, Default)]
pub(super) struct Relay {
    serving: Mutex<HashMap<String, Vec<AbortHandle>>>,
}

impl Relay {
    /// Ends what is relayed for a container, and begins with these tasks.
    fn replace(&self, container: &str, tasks: Vec<AbortHandle>) {
        let mut serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        let former = serving.remove(container).unwrap_or_default();
        former.iter().for_each(AbortHandle::abort);
        if !tasks.is_empty() {
            serving.insert(container.to_owned(), tasks);
        }
    }

    /// Ends what is relayed for a container.
    pub(super) fn close(&self, container: &str) {
        self.replace(container, Vec::new());
    }
}

impl Networks {
    /// Relays the ports of a container to where its endpoints are now. Must be called in the engine's runtime.
    pub(super) fn relay(&self, attachment: &Attachment) -> Result<()> {
        let Some(first) = attachment.endpoints().first() else { return Ok(()) };
        let mut tasks = Vec::new();
        for endpoint in attachment.endpoints().iter().filter(|endpoint| endpoint.can_publish()) {
            let address = endpoint.address6.unwrap_or(endpoint.address).addr();
            for port in endpoint.ports.iter().filter(|port| port.host_ip.is_ipv6()) {
                let socket = self.lock().ports.socket(&endpoint.container, port);
                let to = SocketAddr::new(address, port.container_port);
                let begun = socket.map(|socket| serve(port.protocol, socket?, to)).transpose();
                tasks
                    .extend(begun.map_err(|error| Error::internal(format!("cannot serve {port}: {error}")))?.flatten());
            }
        }
        self.relay.replace(&first.container, tasks);
        Ok(())
    }
}

/// Begins to serve one port. Nothing for SCTP, which only rules lead on.
fn serve(protocol: Protocol, socket: OwnedFd, to: SocketAddr) -> io::Result<Option<AbortHandle>> {
    let task = match protocol {
        Protocol::Tcp => {
            let listener = std::net::TcpListener::from(socket);
            listener.set_nonblocking(true)?;
            // Inherited by its connections: those that have ended do not keep the port from its next holder.
            set_socket_reuseaddr(&listener, true)?;
            rustix::net::listen(&listener, 128)?;
            tokio::spawn(streams(TcpListener::from_std(listener)?, to))
        }
        Protocol::Udp => {
            let socket = std::net::UdpSocket::from(socket);
            socket.set_nonblocking(true)?;
            tokio::spawn(datagrams(UdpSocket::from_std(socket)?, to))
        }
        Protocol::Sctp => return Ok(None),
    };
    Ok(Some(task.abort_handle()))
}

/// Passes on connections until the task is aborted, which ends them.
async fn streams(listener: TcpListener, to: SocketAddr) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((mut near, _)) if open.len() < AT_ONCE => {
                    open.spawn(async move {
                        // Where nobody listens inside, the asker sees an end at once.
                        if let Ok(mut far) = TcpStream::connect(to).await {
                            let _ = copy_bidirectional(&mut near, &mut far).await;
                        }
                    });
                }
                Ok(_) => {}
                Err(_) => sleep(BREATH).await,
            },
            Some(_) = open.join_next() => {}
        }
    }
}

/// Passes on datagrams, and the answers to whoever asked: each asker has a socket of its own towards the container.
async fn datagrams(socket: UdpSocket, to: SocketAddr) {
    let socket = Arc::new(socket);
    let (mut askers, mut answering) = (HashMap::<SocketAddr, Arc<UdpSocket>>::new(), JoinSet::new());
    let mut packet = vec![0; DATAGRAM];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut packet) => {
                let Ok((length, from)) = received else {
                    sleep(BREATH).await;
                    continue;
                };
                if !askers.contains_key(&from) && askers.len() < AT_ONCE && let Ok(far) = towards(to).await {
                    let far = Arc::new(far);
                    answering.spawn(answers(Arc::clone(&far), Arc::clone(&socket), from));
                    askers.insert(from, far);
                }
                if let Some(far) = askers.get(&from) {
                    // What does not arrive is lost, as datagrams may be.
                    let _ = far.send(packet.get(..length).unwrap_or_default()).await;
                }
            }
            Some(Ok(silent)) = answering.join_next() => drop(askers.remove(&silent)),
        }
    }
}

async fn towards(to: SocketAddr) -> io::Result<UdpSocket> {
    let any = if to.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(to).await?;
    Ok(socket)
}

/// Passes answers back until there are none for a while. Returns whom they were for.
async fn answers(far: Arc<UdpSocket>, near: Arc<UdpSocket>, asker: SocketAddr) -> SocketAddr {
    let mut packet = vec![0; DATAGRAM];
    while let Ok(received) = timeout(SILENCE, far.recv(&mut packet)).await {
        match received {
            Ok(length) => drop(near.send_to(packet.get(..length).unwrap_or_default(), asker).await),
            // Nobody listened inside when the last question came; the next one may find somebody.
            Err(_) => sleep(BREATH).await,
        }
    }
    asker
}
