//! Everything that is found out, and where it is read.

use std::fs;
use std::net::Ipv4Addr;

use crate::cgroup::{self, Limits};
use crate::mounts::{self, Root};
use crate::namespaces::{self, KINDS, Namespace};
use crate::network::{self, Interface};
use crate::rights::{self, IdRange, Rights};

/// What the kernel says about this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Number of this process in its own pid namespace.
    pub(crate) pid: u32,
    /// Host name.
    pub(crate) hostname: Option<String>,
    /// Release of the kernel, which a container shares with its host.
    pub(crate) kernel: Option<String>,
    /// Namespaces in the page's order.
    pub(crate) namespaces: Vec<Namespace>,
    /// User, capabilities, seccomp; `None` without `/proc`.
    pub(crate) rights: Option<Rights>,
    /// How user ids inside map to ids outside.
    pub(crate) uid_map: Vec<IdRange>,
    /// The same for group ids.
    pub(crate) gid_map: Vec<IdRange>,
    /// What is mounted on `/`.
    pub(crate) root: Option<Root>,
    /// How many mounts there are.
    pub(crate) mounts: usize,
    /// Paths of `/proc` and `/sys` that are hidden.
    pub(crate) masked: Vec<String>,
    /// Paths of `/proc` and `/sys` that are read-only.
    pub(crate) readonly_paths: Vec<String>,
    /// Limits of the cgroup.
    pub(crate) limits: Limits,
    /// Network interfaces.
    pub(crate) interfaces: Vec<Interface>,
    /// Next hop of the default route.
    pub(crate) gateway: Option<Ipv4Addr>,
}

impl Facts {
    /// Reads it all. Never fails: what cannot be read is absent.
    pub(crate) fn gather() -> Self {
        let mounts = mounts::parse(&text("/proc/self/mountinfo"));
        let kernel = read("/proc/sys/kernel/osrelease").map(|text| text.trim().to_owned());
        let route = text("/proc/net/route");
        Self {
            pid: std::process::id(),
            hostname: read("/proc/sys/kernel/hostname").map(|text| text.trim().to_owned()),
            namespaces: own_namespaces(kernel.as_deref()),
            rights: read("/proc/self/status").map(|text| rights::parse(&text)),
            uid_map: rights::id_map(&text("/proc/self/uid_map")),
            gid_map: rights::id_map(&text("/proc/self/gid_map")),
            root: mounts::root(&mounts),
            masked: mounts::masked(&mounts),
            readonly_paths: mounts::readonly_paths(&mounts),
            limits: cgroup::limits(&text("/proc/self/cgroup"), &mounts, &read),
            interfaces: interfaces(&route),
            gateway: network::gateway(&network::routes(&route)),
            mounts: mounts.len(),
            kernel,
        }
    }
}

/// The links in `/proc/self/ns`.
fn own_namespaces(kernel: Option<&str>) -> Vec<Namespace> {
    let version = kernel.and_then(namespaces::kernel_version);
    let link = |name: &str| fs::read_link(format!("/proc/self/ns/{name}")).ok();
    KINDS.iter().filter_map(|kind| namespaces::namespace(kind, link(kind.name)?.to_str()?, version)).collect()
}

/// The interfaces of this network namespace.
fn interfaces(route: &str) -> Vec<Interface> {
    let (dev, fib_trie, if_inet6) = (text("/proc/net/dev"), text("/proc/net/fib_trie"), text("/proc/net/if_inet6"));
    let texts = network::Texts { dev: &dev, fib_trie: &fib_trie, route, if_inet6: &if_inet6 };
    network::interfaces(&texts, &|name| read(&format!("/sys/class/net/{name}/address")))
}

/// The text of a file, or nothing when it is missing, not readable, or not text.
fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// The text of a file; a missing one is empty.
fn text(path: &str) -> String {
    read(path).unwrap_or_default()
}
