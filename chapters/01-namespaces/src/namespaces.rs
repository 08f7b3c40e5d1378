//! From answers to flags: which namespaces clone3(2) makes, and which the child joins (namespaces(7)).
//!
//! A namespace is not a thing that one enters like a room. It is a pointer in the kernel's record of a process: where the
//! kernel would look at *the* host name, *the* mount table, it looks at the one that the pointer of the asking process leads
//! to. Eight kinds of pointer, each with its own flag; a "container" is a process whose pointers differ from yours.
//! `ls -l /proc/self/ns` shows them, and equal numbers mean the same namespace.

use std::path::Path;

use nix::sched::CloneFlags;

use crate::container::{Clocks, Namespace, Namespaces};

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
