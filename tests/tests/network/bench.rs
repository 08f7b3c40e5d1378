//! The host with a wire to a machine outside, and sockets in anybody's namespace.
//!
//! A socket belongs to the namespace it was opened in, so the test speaks for all of them itself: containers only sleep.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use network::{NetworkNamespace, within};
use skiff_tests::{Daemon, Dockerd, Ran};

/// How long silence must last to count as "not reached".
pub(crate) const SILENCE: Duration = Duration::from_millis(400);
/// How long what must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) const OUTSIDE: [&str; 2] = ["192.0.2.2", "2001:db8::2"];
pub(crate) const HOST: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// Whom `docker` talks to: ours, or the one that it is compared with.
pub(crate) trait Engine {
    /// The client's command to its end.
    fn docker(&self, arguments: &[&str]) -> Ran;
    /// A process in the host's network namespace: the daemon.
    fn pid(&self) -> u32;
}

impl Engine for Daemon {
    fn docker(&self, arguments: &[&str]) -> Ran {
        Self::docker(self, arguments)
    }

    fn pid(&self) -> u32 {
        Self::pid(self)
    }
}

impl Engine for Dockerd {
    fn docker(&self, arguments: &[&str]) -> Ran {
        Self::docker(self, arguments)
    }

    fn pid(&self) -> u32 {
        Self::pid(self)
    }
}

/// Somebody with a network namespace.
pub(crate) struct Place(pub(crate) OwnedFd);

impl Place {
    /// The namespace of a process.
    pub(crate) fn of(pid: &str) -> Self {
        Self(File::open(format!("/proc/{pid}/ns/net")).expect("a process with a namespace").into())
    }

    pub(crate) fn of_container(daemon: &impl Engine, name: &str) -> Self {
        Self::of(daemon.docker(&["inspect", "-f", "{{.State.Pid}}", name]).ok())
    }

    pub(crate) fn of_host(daemon: &impl Engine) -> Self {
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

    /// Whom `server` sees when somebody here connects to `to`. `None` when nobody comes in this time.
    pub(crate) fn reaches(&self, to: SocketAddr, server: &TcpListener, patience: Duration) -> Option<IpAddr> {
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
pub(crate) fn outside(daemon: &impl Engine) -> Place {
    let far = NetworkNamespace::new().expect("these tests run as root").fd;
    let path = format!("/proc/{}/fd/{}", std::process::id(), far.as_raw_fd());
    let shell = |place: &Place, script: &str| {
        let status = place.inside(|| std::process::Command::new("sh").args(["-ec", script]).status());
        assert!(status.expect("sh").success(), "{script}");
    };
    let wire = "ip link add wire type veth peer name far; ip address add 192.0.2.1/24 dev wire; \
                ip address add 2001:db8::1/64 dev wire nodad; ip link set wire up; ip link set far netns";
    shell(&Place::of_host(daemon), &format!("{wire} {path}"));
    let far = Place(far);
    let configure = "echo 0 > /proc/sys/net/ipv6/conf/far/disable_ipv6; ip link set lo up; \
                     ip address add 192.0.2.2/24 dev far; ip address add 2001:db8::2/64 dev far nodad; \
                     ip link set far up; ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1";
    shell(&far, configure);
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
pub(crate) fn sleeper(daemon: &impl Engine, name: &str, arguments: &[&str]) {
    let head = ["run", "-d", "--name", name];
    daemon.docker(&[&head, arguments, &["busybox", "sleep", "3600"]].concat()).ok();
}

/// One field of a container's endpoint.
pub(crate) fn endpoint(daemon: &impl Engine, container: &str, network: &str, field: &str) -> String {
    let format = format!("{{{{(index .NetworkSettings.Networks \"{network}\").{field}}}}}");
    daemon.docker(&["inspect", "-f", &format, container]).ok().to_owned()
}
