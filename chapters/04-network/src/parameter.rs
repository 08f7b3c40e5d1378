//! Kernel parameters below `/proc/sys/net` (sysctl(8)).
//!
//! Each network namespace has its own, and the same path leads each thread to those of the namespace that it is in. That is
//! why a new namespace's parameters are written by the thread that made it (`namespace.rs`).
//!
//! The kernel remembers which file a path led to, for each namespace, and in one list for all namespaces. With 300 of them a
//! look at `/proc/sys/net/ipv4` goes through 300 memories of it. So a namespace's parameters are written by way of a procfs
//! that is mounted for that alone ([`Sysctls`]) and forgotten with it.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::LazyLock;

use namespaces::{Context as _, Failure, Result};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};
use serde::{Deserialize, Serialize};

/// A parameter of one interface, as docker's endpoint option `com.docker.network.endpoint.sysctls` has it:
/// `net.ipv4.conf.IFNAME.log_martians=1`, where `IFNAME` stands for the interface, whatever it will be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceParameter {
    /// Below `/proc/sys`, with `IFNAME`: `net/ipv4/conf/IFNAME/log_martians`.
    path: String,
    value: String,
}

impl InterfaceParameter {
    /// Reads a list that is separated by commas. Only parameters of an interface: these are the container's own, since they
    /// are those of its namespace.
    pub fn parse_list(text: &str) -> Result<Vec<Self>> {
        text.split(',').filter(|one| !one.is_empty()).map(Self::parse).collect()
    }

    fn parse(text: &str) -> Result<Self> {
        let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        match *name.split('.').collect::<Vec<_>>().as_slice() {
            // Docker's client makes small letters of all that is in `--network name=…`.
            ["net", family @ ("ipv4" | "ipv6" | "mpls"), kind @ ("conf" | "neigh"), "IFNAME" | "ifname", last]
                if plain(last) && text.contains('=') =>
            {
                Ok(Self { path: format!("net/{family}/{kind}/IFNAME/{last}"), value: value.to_owned() })
            }
            _ => {
                Err(Failure::new("read the interface's kernel parameter", "it is none of an interface").on(text).hint(
                    "Write it as net.ipv4.conf.IFNAME.log_martians=1 (or ipv6, mpls; or neigh), with the word IFNAME.",
                ))
            }
        }
    }

    /// Path below `/proc/sys` and value, for the interface of this name.
    pub(crate) fn of(&self, interface: &str) -> (String, String) {
        (self.path.replace("IFNAME", interface), self.value.clone())
    }
}

/// Writes `value` where it is not there already.
pub(crate) fn set(path: &str, value: &str) -> Result<()> {
    let now = fs::read_to_string(path).during("read the kernel parameter", path)?;
    if now.trim() == value { Ok(()) } else { fs::write(path, value).during("set the kernel parameter", path) }
}

/// Writes `value`, or does nothing where the kernel has no such parameter (one built without IPv6).
pub(crate) fn set_if_present(path: &str, value: &str) -> Result<()> {
    match fs::write(path, value) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        written => written.during("set the kernel parameter", path),
    }
}

/// The parameters of the network namespace that the calling thread is in, by a mount of one's own that nobody else sees.
#[derive(Debug)]
pub(crate) struct Sysctls(OwnedFd);

impl Sysctls {
    /// Mounts it (25 µs). To drop it takes longer than to make it, since the kernel waits until nobody can be looking: that
    /// is best done where nobody waits for it.
    pub(crate) fn mount() -> Result<Self> {
        let mount = || {
            let procfs = fsopen("proc", FsOpenFlags::FSOPEN_CLOEXEC)?;
            fsconfig_create(&procfs)?;
            fsmount(&procfs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
        };
        Ok(Self(mount().step("mount a procfs for kernel parameters")?))
    }

    /// Writes `value` to the parameter at `path` below `/proc/sys`, or does nothing where the kernel has no such parameter.
    pub(crate) fn set_if_present(&self, path: &str, value: &str) -> Result<()> {
        match self.write(path, value) {
            Err(Errno::NOENT) => Ok(()),
            written => written.during("set the kernel parameter", path),
        }
    }

    /// The same for one that must be there.
    pub(crate) fn set(&self, path: &str, value: &str) -> Result<()> {
        self.write(path, value).during("set the kernel parameter", path)
    }

    fn write(&self, path: &str, value: &str) -> Result<(), Errno> {
        let path = format!("sys/{path}");
        let file = rustix::fs::openat(&self.0, &path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        rustix::io::write(&file, value.as_bytes()).map(drop)
    }
}

/// Whether the kernel speaks IPv6 at all.
pub(crate) fn has_ipv6() -> bool {
    static IPV6: LazyLock<bool> = LazyLock::new(|| Path::new("/proc/sys/net/ipv6").exists());
    *IPV6
}

/// Turns the host into a router for IPv6.
///
/// A router does not listen to routers, so an interface that has its own default route from one (`accept_ra` 1) would lose it
/// and the host its way out. With 2 it goes on listening.
pub(crate) fn forward_ipv6() -> Result<()> {
    const ALL: &str = "/proc/sys/net/ipv6/conf/all/forwarding";
    let interfaces = fs::read_dir("/proc/sys/net/ipv6/conf").during("list", "/proc/sys/net/ipv6/conf")?;
    if fs::read_to_string(ALL).during("read the kernel parameter", ALL)?.trim() == "1" {
        return Ok(());
    }
    for interface in interfaces.flatten().filter(|interface| interface.file_name() != "all") {
        let path = interface.path().join("accept_ra");
        if fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1") {
            // One that is gone meanwhile is no loss.
            let _ = fs::write(&path, "2");
        }
    }
    set(ALL, "1")
}
