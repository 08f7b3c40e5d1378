//! The launch: prepare the stages, `clone3`, run the child's steps, `execve`; and the dialogue of parent and child.
//!
//! ```text
//! parent                                   child
//! ──────                                   ─────
//! stages: prepare
//! clone3 ────────────────────────────────▶ waits for Go
//! stages: attach(pid)
//! Go ────────────────────────────────────▶ steps in order
//!        ◀──────────────── Console(fd) ─── (with a terminal: the pty's other end)
//!        ◀──────────────── Timings ─────── (when asked)
//!        ◀──────────────── Failure ─────── a step failed: it exits
//!        ◀──────────────── end of file ─── execve closed the socket: the program runs
//! ```
//!
//! The child is a copy of the launching process, so the launching process must have one thread (a lock held by another
//! thread would stay locked for ever). `launch` checks that and refuses otherwise.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::container::Container;
use crate::failure::Result;
use crate::stage::Stage;

/// What the program's standard input, output and error are.
#[derive(Debug)]
pub enum Stdio {
    /// Those of the launching process.
    Inherit,
    /// Three descriptors: input, output, error.
    Files([OwnedFd; 3]),
    /// A new pseudo-terminal of the container's own devpts; the other end is [`Running::console`].
    Terminal,
}

/// How to launch, besides what.
#[derive(Debug, Default)]
pub struct Launch {
    /// Standard input, output, error. `None` inherits.
    pub stdio: Option<Stdio>,
    /// Names of steps and stages to leave out.
    pub without: Vec<String>,
    /// Whether [`Running::timings`] is wanted.
    pub timings: bool,
    /// A FIFO opened read-write: after its last step the child reads one byte of it before it becomes the program
    /// (the OCI runtime's `create` and `start`). [`launch`] then returns when the child begins to wait.
    pub gate: Option<OwnedFd>,
}

/// A launched container.
#[derive(Debug)]
pub struct Running {
    /// Its first process, in the launcher's pid namespace. The launcher is its parent and reaps it.
    pub pid: Pid,
    /// The same as a descriptor (pidfd_open(2)): readable when it has ended.
    pub pidfd: OwnedFd,
    /// The other end of its terminal.
    pub console: Option<OwnedFd>,
    /// How long each stage and step took, in order.
    pub timings: Vec<Timing>,
}

/// How long one thing took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Name of the step, or `prepare STAGE`, `attach STAGE`, `clone3`.
    pub name: String,
    /// Wall time.
    pub took: Duration,
}

/// Makes the container and starts its program.
///
/// On failure everything that was made is taken back: the child has ended and been reaped, the stages are released.
pub fn launch(container: &Container, stages: &mut [Box<dyn Stage>], options: Launch) -> Result<Running> {
    let _ = (container, stages, options);
    todo!()
}

/// An `exec`: a second process in a running container's namespaces, cgroup and root.
///
/// `pid` names the container's first process; `process` is the program; `stages` are asked for their
/// [`Phase::Join`](crate::Phase::Join) steps only (cgroups).
pub fn enter(pid: Pid, process: &crate::Process, stages: &mut [Box<dyn Stage>], options: Launch) -> Result<Running> {
    let _ = (pid, process, stages, options);
    todo!()
}
