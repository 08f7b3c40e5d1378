//! Namespaces (namespaces(7)): one answer for each kind, and from the answers to flags: which namespaces clone3(2) makes, and
//! which the child joins.
//!
//! A namespace is not a thing that one enters like a room. It is a pointer in the kernel's record of a process: where the
//! kernel would look at *the* host name, *the* mount table, it looks at the one that the pointer of the asking process leads
//! to. Eight kinds of pointer, each with its own flag; a "container" is a process whose pointers differ from yours.
//! `ls -l /proc/self/ns` shows them, and equal numbers mean the same namespace.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Result};
use crate::plan::is_default;
use crate::sys::{self, Cloned};

/// One answer per kind of namespace (namespaces(7)). The default is a new one of each but user and time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Namespaces {
    /// Process ids: the program sees itself as pid 1.
    pub pid: Namespace,
    /// Mounts.
    pub mount: Namespace,
    /// Host and domain name.
    pub uts: Namespace,
    /// System V IPC and POSIX message queues.
    pub ipc: Namespace,
    /// Interfaces, routes, ports, rules. `Host` here also when a network stage joins one in its step.
    pub net: Namespace,
    /// The root that `/proc/self/cgroup` shows.
    pub cgroup: Namespace,
    /// User and group ids, capabilities.
    pub user: Namespace,
    /// Clocks since boot.
    pub time: Namespace,
    /// How user ids inside map to ids outside; used when `user` is new.
    pub uid_map: Vec<IdMap>,
    /// The same for groups.
    pub gid_map: Vec<IdMap>,
    /// How far the clocks of a new time namespace are ahead of the host's.
    #[serde(skip_serializing_if = "is_default")]
    pub clocks: Clocks,
}

/// What a new time namespace adds to the host's clocks, in nanoseconds (time_namespaces(7)). The clock of the day is the whole
/// machine's and has no offset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Clocks {
    /// `CLOCK_MONOTONIC`
    pub monotonic: i128,
    /// `CLOCK_BOOTTIME`, which also counts while the machine sleeps: what `uptime` shows.
    pub boottime: i128,
}

impl Default for Namespaces {
    fn default() -> Self {
        use Namespace::{Host, New};
        Self {
            pid: New,
            mount: New,
            uts: New,
            ipc: New,
            net: New,
            cgroup: New,
            user: Host,
            time: Host,
            uid_map: Vec::new(),
            gid_map: Vec::new(),
            clocks: Clocks::default(),
        }
    }
}

/// Where one namespace comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Namespace {
    /// A new one, made by clone3(2).
    New,
    /// The one of the process that launches.
    #[default]
    Host,
    /// An existing one, by a path like `/proc/PID/ns/net`.
    Join(PathBuf),
}

/// A range of ids: `size` ids from `inside` are the ids from `outside` on the host (user_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMap {
    /// First id inside the namespace.
    pub inside: u32,
    /// First id outside.
    pub outside: u32,
    /// Number of ids.
    pub size: u32,
}

/// One kind of namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The name of its link in `/proc/PID/ns`: `mnt`, `uts`.
    pub link: &'static str,
    /// Its flag for clone3(2), unshare(2) and setns(2).
    pub flag: CloneFlags,
}

/// The clock offsets since boot (time_namespaces(7)). `nix` has no name for its flag.
pub(crate) const TIME: CloneFlags = CloneFlags::from_bits_retain(libc::CLONE_NEWTIME);

impl Namespaces {
    /// Every kind with its answer, the user namespace first: the rights to join the others come from it.
    pub fn answers(&self) -> [(Kind, &Namespace); 8] {
        let kind = |link, flag| Kind { link, flag };
        [
            (kind("user", CloneFlags::CLONE_NEWUSER), &self.user),
            (kind("pid", CloneFlags::CLONE_NEWPID), &self.pid),
            (kind("net", CloneFlags::CLONE_NEWNET), &self.net),
            (kind("ipc", CloneFlags::CLONE_NEWIPC), &self.ipc),
            (kind("uts", CloneFlags::CLONE_NEWUTS), &self.uts),
            (kind("time", TIME), &self.time),
            (kind("cgroup", CloneFlags::CLONE_NEWCGROUP), &self.cgroup),
            (kind("mnt", CloneFlags::CLONE_NEWNS), &self.mount),
        ]
    }

    /// What clone3(2) makes: every new namespace but the cgroup one. That one takes the cgroup of the moment as its root,
    /// so the child makes it itself, after it has joined its cgroups.
    ///
    /// Nor a time namespace with offsets: they can be written only until the first process is in it.
    pub(crate) fn clone_flags(&self) -> u64 {
        // SOLUTION ns-clone-flags
        let later = |link| link == "cgroup" || (link == "time" && self.clocks != Clocks::default());
        let new = self.answers().into_iter().filter(|(kind, answer)| **answer == Namespace::New && !later(kind.link));
        new.fold(0, |flags, (kind, _)| flags | u64::from(kind.flag.bits().cast_unsigned()))
        // END SOLUTION
    }

    /// What the child joins by itself. A pid namespace is joined by the parent before the fork, because a process never
    /// changes its own; a user namespace likewise, so that the new namespaces belong to it.
    pub(crate) fn joins(&self) -> impl Iterator<Item = (Kind, &Path)> {
        self.answers().into_iter().filter_map(|(kind, answer)| match answer {
            Namespace::Join(path) if !matches!(kind.link, "pid" | "user") => Some((kind, path.as_path())),
            _ => None,
        })
    }
}

/// clone3(2), with a way out for what it refuses. The child is a copy of this process in the new namespaces that `flags` name, and
/// in `cgroup`, on version 2.
pub(crate) fn clone(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned> {
    sys::clone3(flags, cgroup).step("make the container's process").map_err(|failure| {
        let hint = match failure.errno {
            Some(libc::EPERM) => "New namespaces need root (CAP_SYS_ADMIN), or a new user namespace with them.",
            Some(libc::ENOSPC) => "A limit in /proc/sys/user/max_*_namespaces is reached.",
            Some(libc::EAGAIN) => "A limit on processes is reached: see ulimit -u and pids.max.",
            _ => return failure,
        };
        failure.hint(hint)
    })
}

/// Opens a namespace by a path like `/proc/PID/ns/net`.
///
/// The descriptor keeps the namespace alive, even when its last process ends in the meantime.
pub(crate) fn open_namespace(path: &Path) -> Result<OwnedFd> {
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).during("open the namespace", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_container_is_cloned_with_five() {
        let flags = CloneFlags::from_bits_retain(i32::try_from(Namespaces::default().clone_flags()).unwrap());
        let five = CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWNET;
        assert_eq!(flags, five);
    }

    #[test]
    fn mounts_are_joined_last() {
        let join = |path: &str| Namespace::Join(path.into());
        let wanted = Namespaces {
            mount: join("/m"),
            net: join("/n"),
            pid: join("/p"),
            user: join("/u"),
            ..Namespaces::default()
        };
        let joined: Vec<_> = wanted.joins().map(|(kind, _)| kind.link).collect();
        assert_eq!(joined, ["net", "mnt"]);
    }
}
