//! The connection to a collector, over any of the five ways that there are.

use std::fmt::{self, Display};
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use namespaces::{Cause, Context, Failure, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::plan::{Collector, Place};

/// How long a server may take to answer when a container starts, in seconds.
const PATIENCE: i64 = 10;
/// Where a machine's own syslog listens, one of these.
const HERE: [&str; 3] = ["/dev/log", "/var/run/syslog", "/var/run/log"];

/// A socket that is connected, or is being connected, and never blocks.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) socket: OwnedFd,
    /// Whether each message is one datagram.
    pub(crate) datagrams: bool,
    address: Address,
}

/// An address with which a socket can be connected: names are looked up once.
#[derive(Debug, Clone)]
enum Address {
    Unix(PathBuf),
    Inet(SocketAddr),
}

impl Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Inet(address) => address.fmt(f),
        }
    }
}

impl Connection {
    /// Connects, and waits until the other side has answered.
    pub(crate) fn open(collector: &Collector) -> Result<Self> {
        match collector {
            Collector::Journal { socket, .. } => Self::to(Address::Unix(socket.clone()), true),
            Collector::Syslog(server) => match &server.place {
                Place::Here => Self::here(),
                Place::Unix(path) => Self::to(Address::Unix(path.clone()), false),
                Place::Unixgram(path) => Self::to(Address::Unix(path.clone()), true),
                Place::Udp(name) => Self::to(look_up(name)?, true),
                Place::Tcp(name) => Self::to(look_up(name)?, false),
            },
        }
    }

    /// This machine's own syslog, which listens for datagrams nearly everywhere.
    fn here() -> Result<Self> {
        let ways = HERE.iter().flat_map(|path| [true, false].map(|datagrams| (Address::Unix(path.into()), datagrams)));
        let found = ways.into_iter().find_map(|(address, datagrams)| Self::to(address, datagrams).ok());
        found.ok_or_else(|| {
            Failure::new(STEP, "Unix syslog delivery error").on("the syslog of this machine").hint(
                "None listens at /dev/log. Start one, or say where it is: --log-opt syslog-address=udp://HOST:PORT.",
            )
        })
    }

    fn to(address: Address, datagrams: bool) -> Result<Self> {
        let failed = |errno: Errno| errno.failure(STEP).on(&address);
        let socket = connect(&address, datagrams).map_err(failed)?;
        let mut fds = [PollFd::new(&socket, PollFlags::OUT)];
        let answered =
            rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: PATIENCE, tv_nsec: 0 })).map_err(failed)?;
        let outcome = rustix::net::sockopt::socket_error(&socket).map_err(failed)?;
        // A datagram socket whose reader is behind has no room, but is connected.
        if answered == 0 && !datagrams {
            return Err(failed(Errno::TIMEDOUT));
        }
        outcome.map_err(failed)?;
        Ok(Self { socket, datagrams, address })
    }

    /// Begins a new connection, without waiting for it.
    pub(crate) fn renew(&mut self) -> Result<(), Errno> {
        self.socket = connect(&self.address, self.datagrams)?;
        Ok(())
    }
}

const STEP: &str = "connect to the log's collector";

/// A socket that does not block. One of TCP may still be on its way: what is sent then waits (`EAGAIN`).
fn connect(address: &Address, datagrams: bool) -> Result<OwnedFd, Errno> {
    let kind = if datagrams { SocketType::DGRAM } else { SocketType::STREAM };
    let family = match address {
        Address::Unix(_) => AddressFamily::UNIX,
        Address::Inet(SocketAddr::V4(_)) => AddressFamily::INET,
        Address::Inet(SocketAddr::V6(_)) => AddressFamily::INET6,
    };
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    let connected = match address {
        Address::Unix(path) => rustix::net::connect(&socket, &SocketAddrUnix::new(Path::new(path))?),
        Address::Inet(address) => rustix::net::connect(&socket, address),
    };
    match connected {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(errno),
    }
}

/// The first address of `HOST:PORT`.
fn look_up(name: &str) -> Result<Address> {
    let mut found = name.to_socket_addrs().during("look up the log's collector", name)?;
    let none = || Failure::new("look up the log's collector", "it has no address").on(name);
    found.next().map(Address::Inet).ok_or_else(none)
}
