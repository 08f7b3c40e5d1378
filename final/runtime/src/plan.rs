//! The plan: everything needed to make one container, decided before any of it exists.
//!
//! The engine writes it from an API request, the OCI commands from a `config.json`; the monitor only carries it out. It
//! crosses to the monitor as JSON, with the descriptors it needs beside it ([`crate::protocol`]).

mod log;

use std::path::PathBuf;

pub use log::{Collector, Forward, Log, LogFile, Place, Syslog, SyslogFormat};
use namespaces::{Container, Process};
use serde::{Deserialize, Serialize};

// ANCHOR: plan
/// One container, ready to be made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// The container's id, for messages only: every path below is complete.
    pub id: String,
    /// Directory of what is kept, `<data-root>/containers/ID`: `exit.json` is written here. It exists.
    pub record: PathBuf,
    /// Directory of what need not survive a reboot, `<exec-root>/containers/ID`: `monitor.sock` is bound here. It exists,
    /// mode 0700, for whoever can connect may take over the container's terminal.
    pub run: PathBuf,
    /// The namespaces, the root, the process. The engine gives its own `/etc/hosts`, `/etc/resolv.conf` and
    /// `/etc/hostname` as bind mounts in here.
    pub container: Container,
    /// The group of processes it is counted and limited with: made before it, removed after it.
    pub cgroup: Option<cgroups::Plan>,
    /// The layers that are mounted on `container.root.path`. `None` when that directory is the tree itself.
    pub overlay: Option<unionfs::Overlay>,
    /// Volumes, in the order of [`volumes::in_mount_order`]. They come after `container.mounts`.
    pub volumes: Vec<volumes::Attachment>,
    /// Where the network namespace comes from.
    pub network: Network,
    /// Whether a missing working directory is made, as docker does (and the OCI specification does not ask for).
    pub create_cwd: bool,
    /// What becomes of standard input. Whether it is a terminal says `container.process.terminal`.
    pub stdin: Stdin,
    /// Where output is written besides to those who are attached.
    pub log: Log,
    /// Whether [`crate::protocol::Started::timings`] is wanted.
    pub timings: bool,
}
// ANCHOR_END: plan

/// A second process in a running container.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecPlan {
    /// Id of the exec or of its container, for messages only.
    pub id: String,
    /// The container's first process, in the daemon's pid namespace.
    pub pid: i32,
    /// Directory of this exec: `exit.json` is written and `monitor.sock` bound here, so that a daemon that was restarted
    /// finds it again. It exists, mode 0700. `None`: only who started it hears of it.
    pub run: Option<PathBuf>,
    /// The program and what it may do.
    pub process: Process,
    /// The container's group, below the root of the cgroup trees: [`cgroups::Plan::path`].
    pub cgroup: Option<PathBuf>,
    /// What becomes of standard input.
    pub stdin: Stdin,
    /// Whether [`crate::protocol::Started::timings`] is wanted.
    pub timings: bool,
}

/// Where the container's network namespace comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// What `container.namespaces.net` says: a new one with nothing but `lo`, the host's, or another container's.
    #[default]
    Container,
    /// A namespace that the daemon has prepared; its descriptor is the first one beside the Start message.
    /// `container.namespaces.net` is [`namespaces::Namespace::Host`] then.
    FromFd,
    /// The same, but the daemon is still preparing it: its descriptor comes beside a message of its own,
    /// [`crate::protocol::Request::Network`], while the monitor makes the cgroup and the layers.
    Coming,
}

/// What becomes of standard input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stdin {
    /// Nobody writes to it: `/dev/null`, or a terminal that stays silent.
    #[default]
    Closed,
    /// Open for as long as the container runs, whoever comes and goes (docker's `OpenStdin`).
    Open,
    /// Closed for ever when the first attached client closes its half (docker's `StdinOnce`, and every exec). A terminal
    /// has no such end: there this is the same as [`Stdin::Open`].
    Once,
}
