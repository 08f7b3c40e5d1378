//! What each part of a start does, by which kernel calls, and which chapter explains it.
//!
//! The calls are those that a reader should look up in the manual, and they are true: a test traces a start with strace(1)
//! and looks for every one of them.

use serde::{Serialize, Serializer};

/// A chapter of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chapter {
    /// The process and its namespaces.
    Namespaces,
    /// Limits.
    Cgroups,
    /// Layers.
    Unionfs,
    /// Interfaces, addresses, rules.
    Network,
    /// Files that stay.
    Volumes,
    /// The engine that puts the chapters together.
    Engine,
}

impl Chapter {
    /// `1 namespaces`, as the book numbers and names it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Namespaces => "1 namespaces",
            Self::Cgroups => "2 cgroups",
            Self::Unionfs => "3 unionfs",
            Self::Network => "4 network",
            Self::Volumes => "5 volumes",
            Self::Engine => "the engine",
        }
    }
}

impl Serialize for Chapter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.title())
    }
}

/// What is known about a part by its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) step: u8,
    pub(super) chapter: Chapter,
    /// Empty for the steps of chapter 1, which have a sentence of their own.
    pub(super) about: &'static str,
    pub(super) calls: &'static [&'static str],
}

/// What is known about the part of this name.
pub(super) fn known(name: &str) -> Known {
    let here = HERE.iter().find(|(known, ..)| *known == name);
    let chapter_1 = CHAPTER_1.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, calls)| *calls);
    match here {
        Some(&(_, step, chapter, calls, about)) => Known { step, chapter, about, calls },
        None => Known { step: 5, chapter: Chapter::Namespaces, about: "", calls: chapter_1 },
    }
}

type Row = (&'static str, u8, Chapter, &'static [&'static str], &'static str);

/// The parts of engine, monitor and stages: name, step of the six, chapter, calls, sentence.
const HERE: &[Row] = &[
    ("claim network", 4, Chapter::Network, &["rename"], "Claim an address and the published ports in the records."),
    (
        "make network",
        4,
        Chapter::Network,
        &["unshare", "sendmsg"],
        "Make the network namespace, a veth pair with one end in it, address, routes and rules, while the rest is made.",
    ),
    ("prepare network", 4, Chapter::Network, &["recvmsg"], "Wait until the network namespace is there."),
    ("join-network", 4, Chapter::Network, &["setns"], "Join it: its interfaces become the process's own."),
    (
        "start monitor",
        5,
        Chapter::Engine,
        &["execve"],
        "Start the small program that makes the container and stays with it; meanwhile write its plan.",
    ),
    ("prepare cgroups", 5, Chapter::Cgroups, &["mkdirat", "openat", "write"], "Make the cgroup and write the limits."),
    (
        "join-cgroups",
        5,
        Chapter::Cgroups,
        &["write"],
        "Enter the cgroup: what it uses is counted and limited from here on.",
    ),
    (
        "prepare unionfs",
        3,
        Chapter::Unionfs,
        &["fsopen", "fsconfig", "fsmount"],
        "Lay the image's layers over each other, with a writable one on top.",
    ),
    ("mount-overlay", 3, Chapter::Unionfs, &["move_mount"], "Mount them where the root will be."),
    ("prepare volumes", 3, Chapter::Volumes, &["statx"], "Look whether what is to be mounted is there."),
    (
        "mount-volumes",
        3,
        Chapter::Volumes,
        &["open_tree", "move_mount"],
        "Mount volumes, binds and memory into the root.",
    ),
    ("make-directory", 3, Chapter::Engine, &["openat2"], "Make the working directory if the image has none."),
    (
        "clone3",
        5,
        Chapter::Namespaces,
        &["clone3"],
        "Copy this process, with new namespaces: the copy is the container.",
    ),
    (
        "release",
        6,
        Chapter::Engine,
        &["waitid", "unlinkat"],
        "Keep the status, give back address, ports, cgroup and file system; with --rm, remove the rest.",
    ),
];

/// The steps of chapter 1 and their calls.
const CHAPTER_1: &[(&str, &[&str])] = &[
    ("hide", &["prctl"]),
    ("join-namespaces", &["setns"]),
    ("new-cgroup-namespace", &["unshare"]),
    ("set-clocks", &["write", "unshare", "setns"]),
    ("set-hostname", &["sethostname"]),
    ("set-domainname", &["setdomainname"]),
    ("adjust-oom-score", &["openat", "write"]),
    ("choose-apparmor-profile", &["openat", "write"]),
    ("make-mounts-private", &["mount_setattr"]),
    ("bind-root", &["open_tree", "move_mount"]),
    ("become-root", &["setresuid", "setresgid"]),
    ("open-root", &["openat"]),
    ("mount", &["fsopen", "fsconfig", "fsmount", "move_mount"]),
    ("make-devices", &["mknodat"]),
    ("link-devices", &["symlinkat"]),
    ("open-terminal", &["ioctl", "move_mount"]),
    ("set-sysctls", &["openat", "write"]),
    ("pivot-root", &["pivot_root", "umount2"]),
    ("protect-root", &["mount_setattr"]),
    ("mask-paths", &["open_tree", "move_mount"]),
    ("protect-paths", &["open_tree", "mount_setattr"]),
    ("propagate-root", &["mount_setattr"]),
    ("new-session", &["setsid"]),
    ("connect-stdio", &["dup2"]),
    ("set-limits", &["prlimit64"]),
    ("set-scheduling", &["sched_setattr", "ioprio_set"]),
    ("set-personality", &["personality"]),
    ("find-user", &["openat2", "read"]),
    ("give-stdio", &["fchown"]),
    ("enter-directory", &["fchdir"]),
    ("drop-bounding-set", &["prctl"]),
    ("become-user", &["setgroups", "setresgid", "setresuid"]),
    ("find-program", &["faccessat2"]),
    ("reset-signals", &["rt_sigaction", "umask"]),
    ("close-files", &["close_range"]),
    ("forbid-new-privileges", &["prctl"]),
    ("load-seccomp", &["seccomp"]),
    ("set-capabilities", &["capset"]),
];
