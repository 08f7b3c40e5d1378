//! The resolver's sockets in a container.
//!
//! They are on a port that the kernel chooses and not on 53, so that a container may serve that port itself: many a container
//! *is* a name server. A rule in the container's namespace leads 127.0.0.11, port 53, to them (`redirect.rs`).

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd;

use namespaces::{Context as _, Result};

use super::{RESOLVER, redirect};
use crate::namespace::within;

/// How often another port is tried when the one that the kernel gave for UDP is taken for TCP.
const TRIES: usize = 16;

/// The two sockets, with the same port, for the engine to serve. As long as one of them is open, the namespace lives: who
/// takes them closes them when the container ends.
#[derive(Debug)]
pub struct Listening {
    /// For questions that fit into a datagram.
    pub udp: UdpSocket,
    /// For the others.
    pub tcp: TcpListener,
}

/// Opens both in `netns`, whose loopback must be up, and leads questions to them. Once more in the same namespace (by the
/// next engine), it leads them to the new ones.
pub fn listen(netns: impl AsFd + Sync) -> Result<Listening> {
    within(netns, || {
        let sockets = bind().step("listen for questions on 127.0.0.11")?;
        let port = sockets.tcp.local_addr().step("ask for the port of")?.port();
        redirect::install(port)?;
        Ok(sockets)
    })
}

fn bind() -> io::Result<Listening> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let udp = UdpSocket::bind((RESOLVER, 0))?;
        match TcpListener::bind(udp.local_addr()?) {
            Ok(tcp) => {
                udp.set_nonblocking(true)?;
                tcp.set_nonblocking(true)?;
                return Ok(Listening { udp, tcp });
            }
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}
