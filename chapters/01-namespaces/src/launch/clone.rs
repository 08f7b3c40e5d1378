//! The fork: one clone3(2), with what a pid or user namespace needs around it.
//!
//! Most namespaces can be changed by the process itself. Two cannot, and both make the fork more than one call:
//!
//! - *pid*: the number of a process is part of it, so it keeps its namespace for life, and only its children can be elsewhere;
//! - *user*: it decides what rights a process has over all the others, so the others must be made from inside it.
//!
//! The child's cgroup, on version 2, is given along (`CLONE_INTO_CGROUP`): it is then never, not for an instant, outside its
//! limits. On version 1 there is no such flag, and the child joins in its first phase.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sched::CloneFlags;
use rustix::process::{WaitId, WaitIdOptions};

use crate::dialogue::{Dialogue, Message};
use crate::failure::{Context, Failure, Result};
use crate::namespaces::{Namespace, Namespaces, clone, open_namespace};
use crate::sys::{self, Cloned};

/// Forks into the namespaces that are new. Returns once in each process.
///
/// The child has the launcher's memory, descriptors and place in the file system, and waits for its first message.
pub(super) fn fork(wanted: &Namespaces, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned> {
    let pid_namespace = match &wanted.pid {
        Namespace::Join(path) => Some(open_namespace(path)?),
        _ => None,
    };
    let pid_namespace = pid_namespace.as_ref().map(AsFd::as_fd);
    match &wanted.user {
        Namespace::Join(path) => through_user_namespace(path, wanted.clone_flags(), pid_namespace, cgroup),
        _ => in_pid_namespace(pid_namespace, || clone(wanted.clone_flags(), cgroup)),
    }
}

/// Forks a child into a pid namespace: setns(2) changes where the *next* children of a process are born, so the launching
/// process goes there, forks, and comes back. One fork, and the child is its own.
pub(super) fn in_pid_namespace(
    target: Option<BorrowedFd<'_>>,
    fork: impl FnOnce() -> Result<Cloned>,
) -> Result<Cloned> {
    let Some(target) = target else { return fork() };
    let own = open_namespace(Path::new("/proc/self/ns/pid"))?;
    nix::sched::setns(target, CloneFlags::CLONE_NEWPID).step("enter the pid namespace")?;
    let cloned = fork();
    if !matches!(cloned, Ok(Cloned::Child)) {
        nix::sched::setns(own, CloneFlags::CLONE_NEWPID).step("leave the pid namespace")?;
    }
    cloned
}

/// Forks into an existing user namespace, with new namespaces that belong to it.
///
/// Whoever has entered a user namespace cannot come back, so an intermediate process goes there and forks with
/// `CLONE_PARENT`: the child becomes the launcher's own, and the intermediate ends.
pub(super) fn through_user_namespace(
    path: &Path,
    flags: u64,
    pid_namespace: Option<BorrowedFd<'_>>,
    cgroup: Option<BorrowedFd<'_>>,
) -> Result<Cloned> {
    let (ours, theirs) = Dialogue::pair()?;
    let Cloned::Parent(_, intermediate) = clone(0, None)? else {
        drop(ours);
        let forked = open_namespace(path).and_then(|user| {
            nix::sched::setns(user, CloneFlags::CLONE_NEWUSER).during("enter the user namespace", path.display())?;
            // It need not come back from the pid namespace, and without rights outside it could not.
            if let Some(target) = pid_namespace {
                nix::sched::setns(target, CloneFlags::CLONE_NEWPID).step("enter the pid namespace")?;
            }
            clone(flags | libc::CLONE_PARENT as u64, cgroup)
        });
        let told = match forked {
            Ok(Cloned::Child) => return Ok(Cloned::Child),
            Ok(Cloned::Parent(pid, pidfd)) => theirs.send(&Message::Cloned(pid.as_raw_pid()), Some(pidfd.as_fd())),
            Err(failure) => theirs.send(&Message::Failed(failure), None),
        };
        sys::exit(i32::from(told.is_err()));
    };
    drop(theirs);
    let answer = ours.recv();
    let ended = rustix::process::waitid(WaitId::PidFd(intermediate.as_fd()), WaitIdOptions::EXITED);
    ended.step("wait for the intermediate process")?;
    match answer? {
        Some((Message::Cloned(pid), Some(pidfd))) => {
            let pid = rustix::process::Pid::from_raw(pid).ok_or_else(|| Failure::new("fork", "no process id"))?;
            Ok(Cloned::Parent(pid, pidfd))
        }
        Some((Message::Failed(failure), _)) => Err(failure),
        _ => Err(Failure::new("fork into the user namespace", "the intermediate process ended without a word")),
    }
}
