//! Network namespaces: a new one, and work done inside of one (network_namespaces(7)).
//!
//! A thread can be in another network namespace than its process. Both functions here use a thread of their own for that and
//! let it end there, so that nothing can go wrong on the way back: a daemon's thread that stayed in a container's namespace
//! by an error would serve its next request from inside that container.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc;

use namespaces::{Context as _, Failure, Result};
use nix::sched::{CloneFlags, setns, unshare};

use crate::netlink::Socket;
use crate::parameter::Sysctls;

/// The namespace of the thread that asks.
const OF_THIS_THREAD: &str = "/proc/thread-self/ns/net";

/// Parameters of a new namespace, read by the kernel when an interface is made or a socket is opened in it.
///
/// No IPv6 on interfaces to come, unless they get an address of it (CVE-2024-32473); and no interface takes the first router
/// that it hears as its own (CVE-2020-13401). The other two are docker's: programs that are not root may serve port 80 and
/// use ping, since in here these are not the host's.
const PARAMETERS: [(&str, &str); 4] = [
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    ("net/ipv4/ping_group_range", "0 2147483647"),
];

/// A network namespace, and a socket to configure it with.
#[derive(Debug)]
pub struct NetworkNamespace {
    /// It exists as long as this descriptor is open, a process is in it, or a socket of it is open.
    pub fd: OwnedFd,
    /// An rtnetlink socket of this namespace.
    pub socket: Socket,
}

impl NetworkNamespace {
    /// A new namespace with nothing in it but a loopback that is down.
    pub fn new() -> Result<Self> {
        let (send, answer) = mpsc::channel();
        let work = move || {
            let (made, sysctls) = Self::make();
            // Whoever asked goes on, and has gone if nobody listens; this thread takes its mount down meanwhile.
            let _ = send.send(made);
            drop(sysctls);
        };
        let thread = std::thread::Builder::new().name("netns".to_owned()).spawn(work);
        thread.step("start a thread for a network namespace")?;
        answer.recv().unwrap_or_else(|_| Err(Failure::new("make a network namespace", "the thread for it panicked")))
    }

    /// Moves the calling thread into a new namespace, for good. What the parameters were written by is returned as well.
    fn make() -> (Result<Self>, Option<Sysctls>) {
        let mut sysctls = None;
        let made = unshare(CloneFlags::CLONE_NEWNET).step("make a network namespace").and_then(|()| {
            let sysctls = sysctls.insert(Sysctls::mount()?);
            PARAMETERS.iter().try_for_each(|(path, value)| sysctls.set_if_present(path, value))?;
            Self::of_this_thread()
        });
        (made, sysctls)
    }

    /// An existing one by path: `/proc/PID/ns/net`.
    pub fn open(path: &Path) -> Result<Self> {
        let fd = open(path)?;
        within(&fd, Self::of_this_thread)
    }

    /// The namespace that the calling thread is in, and a socket that stays in it.
    fn of_this_thread() -> Result<Self> {
        Ok(Self { fd: open(Path::new(OF_THIS_THREAD))?, socket: Socket::route()? })
    }
}

/// A descriptor of the namespace at `path`, such as `/proc/PID/ns/net`.
pub(crate) fn open(path: &Path) -> Result<OwnedFd> {
    Ok(File::open(path).during("open the network namespace", path.display())?.into())
}

/// Runs `work` inside of `namespace`, in a thread of its own.
pub fn within<T: Send>(namespace: impl AsFd + Sync, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    in_a_thread(|| {
        join(&namespace)?;
        work()
    })
}

/// Moves the calling thread (of a program with one thread: the process) into `namespace`, for good.
pub(crate) fn join(namespace: impl AsFd) -> Result<()> {
    setns(namespace, CloneFlags::CLONE_NEWNET).step("join the network namespace")
}

/// Runs `work` in a thread that ends with it. A new thread starts in the namespaces of the one that makes it.
fn in_a_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, work);
        let ended = worker.step("start a thread for a network namespace")?.join();
        ended.unwrap_or_else(|_| Err(Failure::new("work in a network namespace", "the thread for it panicked")))
    })
}
