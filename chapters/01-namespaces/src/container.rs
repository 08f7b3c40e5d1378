//! What is wanted: the values that describe a container before any of it exists.
//!
//! Plan, then apply: these types are decided once (by the chapter binaries from flags, by the engine from a request, by the
//! OCI runtime from a `config.json`), are sent to the program that makes the container as JSON, and are never changed by it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::capabilities::Capabilities;
use crate::failure::{Failure, Result};
use crate::mount::{Mount, Propagation};
use crate::namespaces::{Namespace, Namespaces};
use crate::plan::is_default;
use crate::scheduling::{IoPriority, Scheduler};
use crate::seccomp::Program;
use crate::user::UserSpec;

/// One container: which namespaces, which root, which process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Container {
    /// New, shared or joined: one answer per kind of namespace.
    pub namespaces: Namespaces,
    /// Host name inside the UTS namespace (sethostname(2)), at most 64 bytes.
    pub hostname: Option<String>,
    /// NIS domain name inside the UTS namespace (setdomainname(2)).
    pub domainname: Option<String>,
    /// The directory that becomes `/`.
    pub root: RootFs,
    /// Mounts in the order in which they are made: the kernel's file systems first, then binds.
    pub mounts: Vec<Mount>,
    /// Device nodes in `/dev`, besides the links that every container has.
    pub devices: Vec<Device>,
    /// Paths hidden behind `/dev/null` or an empty directory.
    pub masked_paths: Vec<PathBuf>,
    /// Paths made read-only.
    pub readonly_paths: Vec<PathBuf>,
    /// Kernel parameters, only those that belong to a namespace (sysctl(8)), by dotted name.
    pub sysctls: BTreeMap<String, String>,
    /// Whether the first process is a small init that has the program as its child (docker's `--init`): it passes signals on
    /// and reaps orphans, which a program that does not expect to be process 1 leaves undone.
    #[serde(skip_serializing_if = "is_default")]
    pub init: bool,
    /// The program and what it may do.
    pub process: Process,
}

impl Container {
    /// Refuses what would change the host instead of the container. [`launch`](crate::launch) asks this first.
    pub fn check(&self) -> Result<()> {
        let shared =
            |what: &str| Failure::new("launch the container", format!("it shares its {what} namespace with the host"));
        if self.namespaces.mount == Namespace::Host {
            return Err(
                shared("mount").hint("Let `mount` be new: what is mounted for it would be mounted on the host.")
            );
        }
        if self.namespaces.uts == Namespace::Host && (self.hostname.is_some() || self.domainname.is_some()) {
            return Err(shared("UTS").hint("Give it no hostname or domainname: either would rename the host."));
        }
        Ok(())
    }
}

/// The directory that becomes `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RootFs {
    /// On the host: the tree itself, or an empty directory that a stage (chapter 3) mounts on.
    pub path: PathBuf,
    /// Whether `/` is mounted read-only in the end.
    pub readonly: bool,
    /// How mounts travel between the host and the container's mount namespace.
    pub propagation: Propagation,
}

/// A device node to make in `/dev` (mknod(2)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Absolute path inside the container.
    pub path: PathBuf,
    /// Character (`c`), block (`b`) or FIFO (`p`).
    pub kind: char,
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Permission bits, such as 0o666.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// The program and what it may do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// The program and its arguments. A name without `/` is looked up in the container's `PATH`.
    pub args: Vec<String>,
    /// `NAME=value` pairs. `HOME` is added from the image's passwd file when absent.
    pub env: Vec<String>,
    /// Working directory inside the container. Empty means `/`.
    pub cwd: PathBuf,
    /// Who runs it.
    pub user: UserSpec,
    /// Whether standard input, output and error are a pseudo-terminal (pty(7)).
    pub terminal: bool,
    /// Size of that terminal: columns, rows.
    pub console_size: Option<(u16, u16)>,
    /// The five capability sets (capabilities(7)).
    pub capabilities: Capabilities,
    /// Whether set-user-id programs and file capabilities give nothing (prctl(2), `PR_SET_NO_NEW_PRIVS`).
    pub no_new_privileges: bool,
    /// The compiled system call filter (seccomp(2)); `None` is unconfined.
    pub seccomp: Option<Program>,
    /// Resource limits (setrlimit(2)).
    pub rlimits: Vec<Rlimit>,
    /// Preference of the OOM killer, -1000 to 1000 (proc_pid_oom_score_adj(5)).
    pub oom_score_adj: Option<i32>,
    /// AppArmor profile to change to on exec, where that LSM is on.
    pub apparmor: Option<String>,
    /// File mode creation mask (umask(2)); `None` is 0o022.
    pub umask: Option<u32>,
    /// How its processor time is given out (sched(7)).
    #[serde(skip_serializing_if = "is_default")]
    pub scheduler: Option<Scheduler>,
    /// How its requests to block devices are ordered (ioprio_set(2)).
    #[serde(skip_serializing_if = "is_default")]
    pub io_priority: Option<IoPriority>,
    /// The processors that it may run on, until its cgroup or it itself decides otherwise (sched_setaffinity(2)); empty
    /// leaves it.
    #[serde(skip_serializing_if = "is_default")]
    pub processors: Vec<u32>,
    /// The execution domain (personality(2)): 8 lets `uname` say that this is a 32-bit machine.
    #[serde(skip_serializing_if = "is_default")]
    pub personality: Option<u32>,
    /// Inherited descriptors that stay open, besides 0, 1 and 2: the number of consecutive ones from 3.
    pub preserve_fds: u32,
}

/// One resource limit (getrlimit(2)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// `NOFILE`, `NPROC`, … without the `RLIMIT_` prefix.
    pub kind: String,
    /// In force.
    pub soft: u64,
    /// The most the process may raise it to. `u64::MAX` is unlimited.
    pub hard: u64,
}
