//! The host with a wire to a machine outside, and sockets in anybody's namespace.
//!
//! A socket belongs to the namespace it was opened in, so the test speaks for all of them itself: containers only sleep.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use network::{NetworkNamespace, within};
use skiff_tests::Daemon;

/// How long silence must last to count as "not reached".
const SILENCE: Duration = Duration::from_millis(400);
/// How long what must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const OUTSIDE: [&str; 2] = ["192.0.2.2", "2001:db8::2"];
pub(crate) const HOST: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// Somebody with a network namespace.
pub(crate) struct Place(pub(crate) OwnedFd);

impl Place {
    /// The namespace of a process.
    pub(crate) fn of(pid: &str) -> Self {
        Self(File::open(format!("/proc/{pid}/ns/net")).expect("a process with a namespace").into())
    }

    pub(crate) fn of_container(daemon: &Daemon, name: &str) -> Self {
        Self::of(daemon.docker(&["inspect", "-f", "{{.State.Pid}}", name]).ok())
    }

    pub(crate) fn of_host(daemon: &Daemon) -> Self {
        Self::of(&daemon.pid().to_string())
    }

    /// Runs something inside.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.0, || Ok(work())).expect("a thread in the namespace")
    }

    /// Serves a port on all addresses of both families.
    pub(crate) fn listen(&self, port: u16) -> TcpListener {
        self.inside(|| TcpListener::bind(("::", port)).expect("listen"))
    }

    pub(crate) fn datagrams(&self, at: &str) -> UdpSocket {
        self.inside(|| UdpSocket::bind(at).expect("bind"))
    }

    /// Whom `server` sees when somebody here connects to `to`. `None` when nobody comes.
    pub(crate) fn reaches(&self, to: SocketAddr, server: &TcpListener, expected: bool) -> Option<IpAddr> {
        let patience = if expected { PATIENCE } else { SILENCE };
        let mut client = self.inside(|| TcpStream::connect_timeout(&to, patience)).ok()?;
        client.set_read_timeout(Some(patience)).expect("a time-out");
        // It may have reached somebody else.
        server.set_nonblocking(true).expect("nonblocking");
        let end = Instant::now() + patience;
        loop {
            match server.accept() {
                Ok((mut accepted, peer)) => {
                    accepted.set_nonblocking(false).expect("blocking");
                    client.write_all(b"?").expect("write");
                    accepted.read_exact(&mut [0]).expect("read");
                    return Some(peer.ip().to_canonical());
                }
                Err(_) if Instant::now() > end => return None,
                Err(_) => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

/// A machine outside, on a wire to the daemon's host. It sends everything by way of the host, as a routed neighbour would.
pub(crate) fn outside(daemon: &Daemon) -> Place {
    let far = NetworkNamespace::new().expect("these tests run as root").fd;
    let path = format!("/proc/{}/fd/{}", std::process::id(), far.as_raw_fd());
    for command in [
        "ip link add wire type veth peer name far",
        "ip address add 192.0.2.1/24 dev wire",
        "ip address add 2001:db8::1/64 dev wire nodad",
        "ip link set wire up",
        &format!("ip link set far netns {path}"),
    ] {
        daemon.on_host(&command.split(' ').collect::<Vec<_>>()).ok();
    }
    let far = Place(far);
    let configure = "set -e; echo 0 > /proc/sys/net/ipv6/conf/far/disable_ipv6; ip link set lo up; \
                     ip address add 192.0.2.2/24 dev far; ip address add 2001:db8::2/64 dev far nodad; \
                     ip link set far up; ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1";
    let status = far.inside(|| std::process::Command::new("sh").args(["-c", configure]).status());
    assert!(status.expect("sh").success());
    far
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "it does not happen: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A container that sleeps.
pub(crate) fn sleeper(daemon: &Daemon, name: &str, arguments: &[&str]) {
    let head = ["run", "-d", "--name", name];
    daemon.docker(&[&head, arguments, &["busybox", "sleep", "3600"]].concat()).ok();
}

/// One field of a container's endpoint.
pub(crate) fn endpoint(daemon: &Daemon, container: &str, network: &str, field: &str) -> String {
    let format = format!("{{{{(index .NetworkSettings.Networks \"{network}\").{field}}}}}");
    daemon.docker(&["inspect", "-f", &format, container]).ok().to_owned()
}
