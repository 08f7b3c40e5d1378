//! What this chapter needs of the machine, and how a [`Requirement`] is looked for. `skiff doctor` prints both.
//!
//! A check looks and changes nothing. What a kernel has been built with shows in `/proc` and `/sys`; what it may do for *us* (an
//! LSM, a container around us, a sysctl) shows only when it is done, so a step's own failure has a hint as well.

use std::fs;
use std::path::Path;

use crate::kernel::kernel;
use crate::stage::{Check, Requirement};

/// What a container needs before any stage is added to it.
///
/// The youngest call of this chapter is mount_setattr(2) of Linux 5.12; clone3(2), openat2(2), close_range(2) and setns(2)
/// by pidfd are older.
pub fn requirements() -> Vec<Requirement> {
    let namespace = |what, path, remedy| Requirement { what, check: Check::Path(path), remedy };
    let build = "Use a kernel that is built with this kind of namespace (CONFIG_NAMESPACES and the options below it).";
    vec![
        Requirement {
            what: "mount_setattr(2) and the calls before it",
            check: Check::Kernel(5, 12),
            remedy: "Install a newer kernel: every supported distribution has one.",
        },
        Requirement {
            what: "root",
            check: Check::Root,
            remedy: "Run it with sudo; making namespaces takes CAP_SYS_ADMIN.",
        },
        namespace("mount namespaces", "/proc/self/ns/mnt", build),
        namespace("pid namespaces", "/proc/self/ns/pid", build),
        namespace("UTS namespaces", "/proc/self/ns/uts", build),
        namespace("IPC namespaces", "/proc/self/ns/ipc", build),
        namespace("network namespaces", "/proc/self/ns/net", build),
        namespace("cgroup namespaces", "/proc/self/ns/cgroup", build),
        namespace("system call filters", "/proc/sys/kernel/seccomp", "Use a kernel with CONFIG_SECCOMP_FILTER."),
        Requirement {
            what: "tmpfs",
            check: Check::FileSystem("tmpfs"),
            remedy: "Use a kernel with CONFIG_TMPFS; /dev of a container is one.",
        },
        Requirement {
            what: "message queues",
            check: Check::FileSystem("mqueue"),
            remedy: "Use a kernel with CONFIG_POSIX_MQUEUE, or leave the mount of /dev/mqueue out.",
        },
    ]
}

impl Check {
    /// Whether it is there.
    pub fn passes(self) -> bool {
        match self {
            Self::Path(path) => Path::new(path).exists(),
            Self::FileSystem(name) => fs::read_to_string("/proc/filesystems").is_ok_and(|text| lists(&text, name)),
            Self::Kernel(major, minor) => kernel() >= (major, minor),
            Self::Root => rustix::process::geteuid().is_root(),
        }
    }
}

/// A line is a name, after `nodev` when the file system needs no device. A file system that is a module not loaded yet is not
/// listed; the first mount of it loads it, so `doctor` may be wrong in this one direction.
fn lists(filesystems: &str, name: &str) -> bool {
    filesystems.lines().any(|line| line.split_whitespace().last() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels() {
        assert!(Check::Kernel(5, 12).passes());
        assert!(!Check::Kernel(99, 0).passes());
    }

    #[test]
    fn file_systems() {
        let text = "nodev\tsysfs\nnodev\ttmpfs\n\text4\n";
        assert!(lists(text, "tmpfs") && lists(text, "ext4"));
        assert!(!lists(text, "nodev\ttmpfs") && !lists(text, "ext"));
    }

    #[test]
    fn this_machine_has_what_the_chapter_needs() {
        let missing: Vec<_> =
            requirements().into_iter().filter(|one| !one.check.passes()).map(|one| one.what).collect();
        assert_eq!(missing, Vec::<&str>::new());
    }
}
