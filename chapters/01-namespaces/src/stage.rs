//! The one trait of the engine. What a kernel feature does for a container is a [`Stage`]; what it does inside the child,
//! before the program starts, is a list of [`Step`]s.
//!
//! ```text
//!  host side                      child side                        host side
//!  ─────────────────────────────  ────────────────────────────────  ───────────────
//!  prepare ─ clone3 ─ attach ───▶ steps, sorted by phase ─ execve   …  exit ─ release
//! ```

use std::ffi::CString;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::process::Pid;

use crate::container::Container;
use crate::dialogue::{Dialogue, Message};
use crate::failure::{Failure, Result};
use crate::mount::Prepared;
use crate::options::Launch;
use crate::root::Root;
use crate::user::User;

// ANCHOR: stage
/// One kernel feature, from before the process exists until after it has ended.
///
/// Every method has a default that does nothing, so that a stage says only what it is about.
pub trait Stage {
    /// The chapter's own word for it: `cgroups`, `unionfs`, `network`, `volumes`. `--without NAME` leaves it out.
    fn name(&self) -> &'static str;

    /// What it needs of the kernel; `skiff doctor` checks these.
    fn requirements(&self) -> Vec<Requirement> {
        Vec::new()
    }

    /// Host side, before the process exists: make what the child will join.
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// The cgroup v2 directory that clone3(2) starts the child in (`CLONE_INTO_CGROUP`).
    fn cgroup(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Host side, while the child waits: what can only be done to an existing process, such as id maps.
    fn attach(&mut self, pid: Pid) -> Result<()> {
        let _ = pid;
        Ok(())
    }

    /// Host side, while the child waits a second time: everything is mounted, and the host's files are still in view. Only for
    /// a stage with a step that calls for it ([`Child::call_host`]).
    fn mounted(&mut self) -> Result<()> {
        Ok(())
    }

    /// Child side, before the program starts.
    fn steps(&self) -> Vec<Step<'_>> {
        Vec::new()
    }

    /// Host side, after the end: give back what outlives the process. Works from the plan alone, in any process,
    /// any number of times.
    fn release(&mut self) -> Result<()> {
        Ok(())
    }

    /// What the kernel says about this feature for a running container.
    fn probe(&self, pid: Pid) -> Result<Vec<Fact>> {
        let _ = pid;
        Ok(Vec::new())
    }
}
// ANCHOR_END: stage

/// A moment in the child's life. Steps run in this order, and in their stage's order within a phase.
///
/// A step chooses its phase by what it still needs. Paths of the host are there until [`Phase::Pivot`], and [`Child::root`]
/// from the end of [`Phase::Root`] on; a step that takes a file of the host into the container needs both and is in
/// [`Phase::Mounts`]. All of root's rights are there until [`Phase::Process`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Join what the host side made, while the host's files are still in view: cgroups, the network namespace.
    Join,
    /// Make the view private: cgroup namespace, host name, mount propagation.
    Isolate,
    /// Mount the root file system on [`crate::RootFs::path`].
    Root,
    /// Mount into the new root: kernel file systems, devices, volumes.
    Mounts,
    /// Make the new root `/` and let go of the host's.
    Pivot,
    /// Take away what is left to take: masked and read-only paths, read-only root.
    Restrict,
    /// Become the program's user with the program's rights.
    Process,
    /// Behind the gate, right before the program and with its rights: the hooks that an OCI container runs at its start.
    Start,
}

/// The doing of a [`Step`].
pub type Run<'a> = Box<dyn FnOnce(&mut Child<'_>) -> Result<()> + 'a>;

/// One named thing the child does.
pub struct Step<'a> {
    /// Kebab-case, unique: `set-hostname`. `--without NAME` leaves it out.
    pub name: &'static str,
    /// When.
    pub phase: Phase,
    /// One sentence for `--explain`.
    pub about: &'static str,
    /// The doing. Runs in the child, which has one thread.
    pub run: Run<'a>,
}

impl<'a> Step<'a> {
    /// A step that runs `run` in `phase`.
    pub fn new(
        name: &'static str,
        phase: Phase,
        about: &'static str,
        run: impl FnOnce(&mut Child<'_>) -> Result<()> + 'a,
    ) -> Self {
        Self { name, phase, about, run: Box::new(run) }
    }
}

/// What a step has to work with.
pub struct Child<'a> {
    /// What is wanted.
    pub container: &'a Container,
    /// The new root, from the end of [`Phase::Root`] on.
    pub(crate) root: Option<Root>,
    /// How it is launched, besides what.
    pub(crate) options: &'a Launch,
    /// The way to the parent.
    pub(crate) dialogue: &'a Dialogue,
    /// Who takes the listener of a filter that asks about calls ([`crate::seccomp::Action::Notify`]). Set by a stage's step;
    /// called with it as soon as the filter is loaded, because already the next call may be one to ask about.
    pub seccomp_agent: Option<Box<dyn FnOnce(OwnedFd) -> Result<()>>>,
    /// Mounts that only the launching process could make.
    pub(crate) mapped: Prepared,
    /// New file systems that shall be read-only once everything is in them.
    pub(crate) filling: Vec<OwnedFd>,
    /// The network namespace of the launching process, where sysctls have to know it.
    pub(crate) outer_net: Option<u64>,
    /// The container's side of the terminal, from the step that opens it on.
    pub(crate) terminal: Option<OwnedFd>,
    /// The user in numbers, from the step that looks it up on.
    pub(crate) user: Option<User>,
    /// The program's path, from the step that looks it up on.
    pub(crate) program: Option<CString>,
}

impl<'a> Child<'a> {
    /// A child that has done nothing yet.
    pub(crate) fn new(container: &'a Container, options: &'a Launch, dialogue: &'a Dialogue) -> Self {
        let mapped = Prepared::default();
        Self {
            container,
            options,
            dialogue,
            root: None,
            seccomp_agent: None,
            mapped,
            filling: Vec::new(),
            outer_net: None,
            terminal: None,
            user: None,
            program: None,
        }
    }

    /// The new root file system. Paths inside the container are resolved through it and in no other way.
    pub fn root(&self) -> Result<&Root> {
        self.root.as_ref().ok_or_else(|| {
            Failure::new("use the new root", "no step has opened it yet").hint("Run this step after Phase::Root.")
        })
    }

    /// Has the host side do its part ([`Stage::mounted`]) and waits for that. For a step in [`Phase::Mounts`].
    pub fn call_host(&self) -> Result<()> {
        self.dialogue.send(&Message::Mounted, None)?;
        match self.dialogue.recv()? {
            Some((Message::Go, _)) => Ok(()),
            _ => Err(Failure::new("wait for the host's part", "the launching process is gone")),
        }
    }

    /// The user in numbers.
    pub(crate) fn user(&self) -> Result<&User> {
        self.user.as_ref().ok_or_else(|| Failure::new("use the user's ids", "no step has looked them up yet"))
    }
}

/// Something a stage needs of the kernel or the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// `overlay file system`, `network namespaces`.
    pub what: &'static str,
    /// How it is looked for.
    pub check: Check,
    /// What to do when it is missing, a full sentence.
    pub remedy: &'static str,
}

/// How a [`Requirement`] is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The path exists.
    Path(&'static str),
    /// `/proc/filesystems` has the name.
    FileSystem(&'static str),
    /// The kernel is at least this version.
    Kernel(u32, u32),
    /// The process runs as root.
    Root,
}

/// One thing the kernel says about a running container.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fact {
    /// Where it was read: `/proc/42/ns/uts`, `memory.max`.
    pub source: String,
    /// What it says.
    pub value: String,
}
