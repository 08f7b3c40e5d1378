//! `exec`: a second process in a running container's namespaces, cgroup and root.
//!
//! The child that enters is, until its execve, a process of the host inside the container. It must offer the container
//! nothing to hold on to (CVE-2016-9962): it makes itself non-dumpable before it enters, so that nobody inside may trace it
//! or read its `/proc/PID/fd`, and every descriptor it has is closed on exec.
//!
//! ```text
//!  launcher ── setns(pid) ─ clone3 ─ setns(own pid) ──────────────── waits, reaps
//!                             └─▶ child: hide ─ join cgroups ─ setns(all the others) ─ user, rights, filter ─ execve
//! ```
//!
//! The new process has a number inside, but its parent is outside. That has a consequence for the container's end: the kernel
//! kills everything in a pid namespace whose first process ends, and then waits until all of it has been reaped. So whoever
//! has entered must reap what he started, or the container hangs in its last moment. A launcher that is itself gone is no
//! problem; its children go to one that reaps them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::sched::CloneFlags;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags};

use super::{Clock, Running, bury, child, chosen, clone, listen, require_one_thread, views};
use crate::container::{Container, Process};
use crate::dialogue::{Dialogue, Message};
use crate::failure::{Context, Failure, Result};
use crate::namespaces::{self, Kind};
use crate::options::Launch;
use crate::stage::{Child, Phase, Stage, Step};
use crate::steps;
use crate::sys::Cloned;

/// An `exec`: a second process in a running container's namespaces, cgroup and root.
///
/// `pid` names the container's first process; `process` is the program; `stages` are asked for their
/// [`Phase::Join`](crate::Phase::Join) steps only (cgroups).
pub fn enter(pid: Pid, process: &Process, stages: &mut [Box<dyn Stage>], options: Launch) -> Result<Running> {
    require_one_thread()?;
    let container = Container { process: process.clone(), ..Container::default() };
    let target = Target::open(pid)?;
    if !options.without.is_empty() {
        steps::check_names(&steps::of_entry(&container, target.step(), views(stages), &[]), stages, &options.without)?;
    }
    let mut stages = chosen(stages, &options.without);
    let mut clock = Clock::new(options.timings);
    let (ours, theirs) = Dialogue::pair()?;
    let cgroup = stages.iter().find_map(|stage| stage.cgroup());
    let forked = clock.time(|| "clone3".to_owned(), || target.fork(cgroup))?;
    let Cloned::Parent(pid, pidfd) = forked else {
        drop(ours);
        let child = Child::new(&container, &options, &theirs);
        child::run(child, &options, || steps::of_entry(&container, target.step(), views(&stages), &options.without));
    };
    drop(theirs);
    let mut running = Running { pid, pidfd, console: None, timings: Vec::new() };
    let ready = ours.send(&Message::Go, None).and_then(|()| listen(&ours, &mut stages, &options, &mut running));
    // The launcher's copies of the program's files.
    drop(options);
    if let Err(failure) = ready {
        return Err(bury(&running.pidfd, failure));
    }
    running.timings.splice(0..0, clock.timings);
    Ok(running)
}

/// The container to enter.
struct Target {
    /// Its first process. As a descriptor it cannot become another process's number in the meantime.
    pidfd: OwnedFd,
    /// The namespaces that differ from the launcher's.
    different: CloneFlags,
    /// Its user namespace, where an ordinary user enters: his rights over the container are those that he has in there,
    /// because he made it, so he must go there before he can go anywhere else.
    by_way_of: Option<PathBuf>,
}

impl Target {
    /// Opens the process and compares its namespaces with ours. Only those that differ are joined: setns(2) refuses a user
    /// namespace that one is in already (`EINVAL`).
    fn open(pid: Pid) -> Result<Self> {
        let step = "enter the container of process";
        let number = pid.as_raw_pid();
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).during(step, number).map_err(|failure| {
            failure.hint_on(rustix::io::Errno::SRCH, "The container is not running; start it first.")
        })?;
        let mut different = CloneFlags::empty();
        for (Kind { link, flag }, _) in Container::default().namespaces.answers() {
            if namespace_id(number, link)? != namespace_id(0, link)? {
                different |= flag;
            }
        }
        // Looked at by number, opened by descriptor: still alive means that the number was its own all the time.
        let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
        if rustix::event::poll(&mut ended, Some(&Timespec::default())).during(step, number)? > 0 {
            return Err(Failure::new(step, "it has just ended").on(number));
        }
        if !different.contains(CloneFlags::CLONE_NEWNS) {
            return Err(Failure::new(step, "it has no mount namespace of its own").on(number));
        }
        let ordinary = different.contains(CloneFlags::CLONE_NEWUSER) && !rustix::process::geteuid().is_root();
        let by_way_of = ordinary.then(|| format!("/proc/{number}/ns/user").into());
        Ok(Self { pidfd, different, by_way_of })
    }

    /// The fork, into the container's pid namespace.
    fn fork(&self, cgroup: Option<BorrowedFd<'_>>) -> Result<Cloned> {
        let pid_namespace = self.different.contains(CloneFlags::CLONE_NEWPID).then(|| self.pidfd.as_fd());
        if let Some(user_namespace) = &self.by_way_of {
            return clone::through_user_namespace(user_namespace, 0, pid_namespace, cgroup);
        }
        clone::in_pid_namespace(pid_namespace, || namespaces::clone(0, cgroup))
    }

    /// [`Target::join`] as a step.
    fn step(&self) -> Step<'_> {
        let about = "Join all namespaces of the container at once, by a descriptor of its first process.";
        Step::new("enter-namespaces", Phase::Isolate, about, |_| self.join())
    }

    /// Child side: joins everything that differs, in one setns(2) (Linux 5.8).
    fn join(&self) -> Result<()> {
        let been = if self.by_way_of.is_some() { CloneFlags::CLONE_NEWUSER } else { CloneFlags::empty() };
        let flags = self.different - CloneFlags::CLONE_NEWPID - been;
        nix::sched::setns(&self.pidfd, flags).step("enter the container's namespaces")?;
        if self.different.contains(CloneFlags::CLONE_NEWUSER) {
            steps::become_root()?;
        }
        Ok(())
    }
}

/// The inode number that identifies a namespace; process 0 is this one.
fn namespace_id(pid: i32, link: &str) -> Result<u64> {
    let path = if pid == 0 { format!("/proc/self/ns/{link}") } else { format!("/proc/{pid}/ns/{link}") };
    Ok(rustix::fs::stat(&path).during("look at the namespace", &path)?.st_ino)
}
