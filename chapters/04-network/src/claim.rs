//! Who holds which port of the host.
//!
//! A published port is two things: an element that the firewall looks up, and a claim that nobody else serves this port. The
//! claim is a socket that is bound to it, so that another program gets "address in use" instead of silence. No packet reaches
//! that socket once the port is published: the firewall sends them to the container first. What it cannot send there (IPv6 to
//! a container without it, and all from `::1`) does reach it, and an engine may serve it.
//!
//! With two families there are two claims: `0.0.0.0` and `::` are different sockets, and a port that is published on both is
//! held on both or not at all, since nobody could say which port a container has that has two.
//!
//! ```text
//!   -p 8080:80              0.0.0.0:8080, and [::]:8080, which is relayed when the container has no IPv6 address
//!   -p 127.0.0.1:8080:80    127.0.0.1:8080; meets 0.0.0.0:8080, does not meet 127.0.0.2:8080 or [::]:8080
//! ```

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use namespaces::{Failure, Result};
use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, ipproto, listen, shutdown, socket_with};

use crate::port::{PortRequest, Protocol, PublishedPort};

/// Where a port is looked for when any will do: the dynamic ports of RFC 6335, but the first, as docker does.
const ANY: RangeInclusive<u16> = 49153..=65535;

/// How long a port that was given back may still be seen as bound. A process that is just being started holds copies of all
/// sockets from its fork until its exec, which a busy machine can put apart.
const LINGERS: Duration = Duration::from_secs(2);

/// The claims of one engine, in memory. A port on every address (`0.0.0.0`) meets the same port on each single one.
/// Made again from the records by [`PortClaims::restore`] when the engine starts.
#[derive(Debug, Default)]
pub struct PortClaims {
    /// More than one where they are on different addresses.
    held: BTreeMap<(Protocol, u16), Vec<Claim>>,
    /// Where to look first for the next port of any: not the one that was just given back, which clients still know.
    next: Option<u16>,
    /// What was given back within the last [`LINGERS`], and when.
    freed: BTreeMap<(Protocol, u16), Instant>,
}

/// One port on one address (or on all) for one container.
#[derive(Debug)]
struct Claim {
    /// Unspecified is every address.
    ip: IpAddr,
    container: String,
    /// Bound to the port. `None` after a restart when another program was faster, and for SCTP.
    socket: Option<OwnedFd>,
}

impl PortClaims {
    /// Nothing is claimed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Claims a port of the host for each request of `container`, all or none. A port for which no address is given is
    /// claimed on each of `everywhere`: `0.0.0.0`, and `::` when the container can be reached by IPv6.
    ///
    /// # Errors
    /// `port is already allocated` (`EADDRINUSE`), with a hint that names the container that holds it; or the address is not
    /// one of the host's, or of a family that the container does not speak.
    pub fn claim(
        &mut self,
        container: &str,
        requests: &[PortRequest],
        everywhere: &[IpAddr],
    ) -> Result<Vec<PublishedPort>> {
        // Those that want a certain port first, so that none is taken from them by one that takes any.
        let (certain, any): (Vec<_>, Vec<_>) =
            requests.iter().enumerate().partition(|(_, request)| request.host_ports.is_some());
        let mut claimed = Vec::new();
        for (place, request) in certain.into_iter().chain(any) {
            match self.claim_one(container, request, everywhere) {
                Ok(ports) => claimed.push((place, ports)),
                Err(failure) => {
                    // Only these: the container may hold others from an earlier call.
                    for port in claimed.iter().flat_map(|(_, ports)| ports) {
                        self.give_back(container, port);
                    }
                    return Err(failure);
                }
            }
        }
        claimed.sort_by_key(|(place, _)| *place);
        Ok(claimed.into_iter().flat_map(|(_, ports)| ports).collect())
    }

    /// Notes what records say is claimed. It stays claimed even if another program has bound the port meanwhile: the
    /// firewall still leads it to the container.
    pub fn restore(&mut self, container: &str, ports: &[PublishedPort]) {
        for port in ports {
            let socket = bind(port.protocol, port.host_ip, port.host_port).ok().flatten();
            self.hold(container, port, socket);
        }
    }

    /// Gives back all ports of `container`. Doing it again does nothing.
    pub fn release(&mut self, container: &str) {
        self.strike(|_, claim| claim.container == container);
    }

    /// The container that holds this port on this address, or on one that includes it.
    pub fn holder(&self, protocol: Protocol, ip: IpAddr, port: u16) -> Option<&str> {
        let claims = self.held.get(&(protocol, port))?;
        let meets = |claim: &&Claim| {
            let same_family = claim.ip.is_ipv4() == ip.is_ipv4();
            same_family && (claim.ip == ip || claim.ip.is_unspecified() || ip.is_unspecified())
        };
        claims.iter().find(meets).map(|claim| claim.container.as_str())
    }

    /// A descriptor of the socket by which `container` holds a port: for an engine that serves what no rule leads on. `None`
    /// when it has no such socket.
    pub fn socket(&self, container: &str, port: &PublishedPort) -> Option<io::Result<OwnedFd>> {
        let claims = self.held.get(&(port.protocol, port.host_port))?;
        let own = |claim: &&Claim| claim.container == container && claim.ip == port.host_ip;
        claims.iter().find(own)?.socket.as_ref().map(OwnedFd::try_clone)
    }

    /// The first candidate that nobody has, on every address that it is to be on.
    fn claim_one(
        &mut self,
        container: &str,
        request: &PortRequest,
        everywhere: &[IpAddr],
    ) -> Result<Vec<PublishedPort>> {
        let addresses = request.host_ip.as_ref().map_or(everywhere, std::slice::from_ref);
        let speaks = |ip: &IpAddr| everywhere.iter().any(|known| known.is_ipv4() == ip.is_ipv4());
        if let Some(stranger) = addresses.iter().find(|ip| !speaks(ip)) {
            return Err(Failure::new("publish a port on", "the container has no address of this family")
                .on(stranger)
                .hint("A network has IPv6 when it is made with --ipv6."));
        }
        let mut refusal = None;
        for host_port in self.candidates(request) {
            let (container_port, protocol) = (request.container_port, request.protocol);
            let port = |host_ip: &IpAddr| PublishedPort { host_ip: *host_ip, host_port, container_port, protocol };
            let ports: Vec<_> = addresses.iter().map(port).collect();
            match self.try_ports(container, &ports) {
                Ok(()) => return Ok(ports),
                Err(failure) if failure.errno == Some(libc::EADDRINUSE) => refusal = Some(failure),
                Err(failure) => return Err(failure),
            }
        }
        Err(refusal.unwrap_or_else(|| Failure::new("publish a port", "all ports are in use")))
    }

    /// Takes all of these or none.
    fn try_ports(&mut self, container: &str, ports: &[PublishedPort]) -> Result<()> {
        for (taken, port) in ports.iter().enumerate() {
            if let Err(failure) = self.try_port(container, port) {
                ports.iter().take(taken).for_each(|port| self.give_back(container, port));
                return Err(failure);
            }
        }
        Ok(())
    }

    /// The ports of the host that would do, in the order in which they are tried.
    fn candidates(&mut self, request: &PortRequest) -> Vec<u16> {
        if let Some(wanted) = &request.host_ports {
            return wanted.clone().collect();
        }
        let first = self.next.filter(|port| ANY.contains(port)).unwrap_or(*ANY.start());
        (first..=*ANY.end()).chain(*ANY.start()..first).collect()
    }

    /// Takes this port. Our own book is looked at first, since it can name the holder; the socket finds everybody else.
    fn try_port(&mut self, container: &str, port: &PublishedPort) -> Result<()> {
        let PublishedPort { host_ip, host_port, protocol, .. } = *port;
        if let Some(holder) = self.holder(protocol, host_ip, host_port) {
            let hint = format!("Container {holder} has it. Stop that one, or choose another port of the host.");
            return Err(allocated(port).hint(hint));
        }
        match self.bind_freed(protocol, host_ip, host_port) {
            Ok(socket) => {
                self.next = ANY.contains(&host_port).then(|| host_port.wrapping_add(1));
                self.hold(container, port, socket);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let hint = format!(
                    "A program of the host has it (ss -lnp 'sport = {host_port}'), or another engine for a container of \
                     its own, which ss does not show. Choose another port."
                );
                Err(allocated(port).hint(hint))
            }
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Err(Failure {
                errno: error.raw_os_error(),
                ..Failure::new("publish a port on", "this address is not one of the host's").on(host_ip)
            }),
            Err(error) => Err(Failure { errno: error.raw_os_error(), ..Failure::new("publish", error).on(port) }),
        }
    }

    /// Writes a claim down.
    fn hold(&mut self, container: &str, port: &PublishedPort, socket: Option<OwnedFd>) {
        let claim = Claim { ip: port.host_ip, container: container.to_owned(), socket };
        self.held.entry((port.protocol, port.host_port)).or_default().push(claim);
    }

    /// Gives back one port of `container`. Doing it again does nothing.
    pub fn give_back(&mut self, container: &str, port: &PublishedPort) {
        let key = (port.protocol, port.host_port);
        self.strike(|held, claim| *held == key && claim.container == container && claim.ip == port.host_ip);
    }

    /// Strikes out the claims that are meant, and notes when.
    fn strike(&mut self, meant: impl Fn(&(Protocol, u16), &Claim) -> bool) {
        let now = Instant::now();
        self.freed.retain(|_, when| now.duration_since(*when) < LINGERS);
        self.held.retain(|key, claims| {
            let before = claims.len();
            claims.retain(|claim| !meant(key, claim));
            if claims.len() < before {
                self.freed.insert(*key, now);
            }
            !claims.is_empty()
        });
    }

    /// [`bind`], with patience for a port that was ours a moment ago.
    fn bind_freed(&self, protocol: Protocol, ip: IpAddr, port: u16) -> io::Result<Option<OwnedFd>> {
        let freed = self.freed.get(&(protocol, port));
        loop {
            match bind(protocol, ip, port) {
                Err(error)
                    if error.kind() == io::ErrorKind::AddrInUse
                        && freed.is_some_and(|when| when.elapsed() < LINGERS) =>
                {
                    thread::sleep(Duration::from_millis(1));
                }
                other => return other,
            }
        }
    }
}

/// A socket bound to the port, in the way of everybody who would serve it.
///
/// Linux lets two TCP sockets have one port when both allow it (`SO_REUSEADDR`, without which the port of a server that has
/// just ended stays taken for a minute), until one of them listens. So ours listens, which fails when another one does or
/// holds a claim like this; then it stops to listen, so that who comes before the port is published is refused instead of
/// left waiting for an answer; and it no longer allows others to listen.
///
/// SCTP is not in every kernel: where it is not, nobody else can serve such a port either, and the engine's own book has to
/// do.
fn bind(protocol: Protocol, ip: IpAddr, port: u16) -> io::Result<Option<OwnedFd>> {
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
        Protocol::Sctp => (SocketType::STREAM, ipproto::SCTP),
    };
    let socket = match socket_with(family, kind, SocketFlags::CLOEXEC, Some(number)) {
        Err(Errno::PROTONOSUPPORT) => return Ok(None),
        made => made?,
    };
    if ip.is_ipv6() {
        // Else `::` would take the port of IPv4 as well.
        set_ipv6_v6only(&socket, true)?;
    }
    if protocol == Protocol::Tcp {
        set_socket_reuseaddr(&socket, true)?;
    }
    rustix::net::bind(&socket, &SocketAddr::new(ip, port))?;
    if protocol == Protocol::Tcp {
        listen(&socket, 1)?;
        shutdown(&socket, Shutdown::Read)?;
        set_socket_reuseaddr(&socket, false)?;
    }
    Ok(Some(socket))
}

/// Docker's words, which clients look for.
fn allocated(port: &PublishedPort) -> Failure {
    let PublishedPort { host_ip, host_port, .. } = port;
    let cause = format!("Bind for {host_ip}:{host_port} failed: port is already allocated");
    Failure { errno: Some(libc::EADDRINUSE), ..Failure::new("publish", cause).on(port) }
}

#[cfg(test)]
mod tests;
