//! The launch: prepare the stages, `clone3`, run the child's steps, `execve`; and the dialogue of parent and child.
//!
//! ```text
//! parent                                   child
//! ──────                                   ─────
//! stages: prepare
//! clone3 ────────────────────────────────▶ waits for Go
//! stages: attach(pid)
//! Go ────────────────────────────────────▶ steps in order
//!        ◀──────────────── Mounted ─────── (a stage's step calls the host)
//! stages: mounted
//! Go ────────────────────────────────────▶ the other steps
//!        ◀──────────────── Console(fd) ─── (with a terminal: the pty's other end)
//!        ◀──────────────── Ready ───────── all steps are done (with their timings, when asked)
//!        ◀──────────────── end of file ─── execve closed the socket: the program runs
//!        ◀──────────────── Failed ──────── at any moment: a step failed, and the child exits
//! ```
//!
//! The child is a copy of the launching process, so the launching process must have one thread (a lock held by another
//! thread would stay locked for ever). `launch` checks that and refuses otherwise.
//!
//! Either side notices when the other dies, because the socket closes: the child exits, the parent reports how it ended.

mod child;
mod clone;
mod enter;
mod init;

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::container::Container;
use crate::dialogue::{Dialogue, Message, Timing};
use crate::failure::{Context, Failure, Result};
use crate::idmap;
use crate::mount::Prepared;
use crate::options::Launch;
use crate::stage::{Child, Stage};
use crate::steps;
use crate::sys::Cloned;

pub use enter::enter;

/// A launched container.
///
/// It is a child of the launching process and has to be reaped by it, by [`Running::wait`] or waitid(2); until then it stays
/// a zombie. Dropping this value closes descriptors and ends nothing.
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

/// Makes the container and starts its program.
///
/// On failure everything that was made is taken back: the child has ended and been reaped, the stages are released.
pub fn launch(container: &Container, stages: &mut [Box<dyn Stage>], options: Launch) -> Result<Running> {
    container.check()?;
    require_one_thread()?;
    if !options.without.is_empty() {
        steps::check_names(&steps::of_container(container, views(stages), &[]), stages, &options.without)?;
    }
    let mut stages = chosen(stages, &options.without);
    let started = start(container, &mut stages, &options);
    // The launcher's copies of the container's files: a pipe has an end only when all its writers are gone.
    drop(options);
    started.map_err(|failure| {
        let released = stages.iter_mut().rev().filter_map(|stage| stage.release().err());
        let failures = std::iter::once(failure.clone()).chain(released).collect();
        Failure::collect(failures).unwrap_or(failure)
    })
}

/// [`launch`] without its undoing of the stages.
///
/// The two halves of this function after the fork run in two processes; the child's ends in [`child::run`].
fn start(container: &Container, stages: &mut [&mut Box<dyn Stage>], options: &Launch) -> Result<Running> {
    let mut clock = Clock::new(options.timings);
    for stage in &mut *stages {
        let name = stage.name();
        clock.time(|| format!("prepare {name}"), || stage.prepare())?;
    }
    let outer_net = steps::outer_net(container)?;
    let mapped = Prepared::of(&container.mounts, &container.namespaces, container.root.propagation)?;
    let (ours, theirs) = Dialogue::pair()?;
    let cgroup = stages.iter().find_map(|stage| stage.cgroup());
    let forked = clock.time(|| "clone3".to_owned(), || clone::fork(&container.namespaces, cgroup))?;
    let Cloned::Parent(pid, pidfd) = forked else {
        drop(ours);
        let child = Child { mapped, outer_net, ..Child::new(container, options, &theirs) };
        child::run(child, options, || steps::of_container(container, views(stages), &options.without));
    };
    drop(theirs);
    let mut running = Running { pid, pidfd, console: None, timings: Vec::new() };
    let ready = attach(container, stages, pid, &mut clock)
        .and_then(|()| ours.send(&Message::Go, None))
        .and_then(|()| listen(&ours, stages, options, &mut running));
    if let Err(failure) = ready {
        return Err(bury(&running.pidfd, failure));
    }
    running.timings.splice(0..0, clock.timings);
    Ok(running)
}

/// What is done to the waiting child from outside.
fn attach(container: &Container, stages: &mut [&mut Box<dyn Stage>], pid: Pid, clock: &mut Clock) -> Result<()> {
    idmap::write(&container.namespaces, pid)?;
    for stage in stages {
        let name = stage.name();
        clock.time(|| format!("attach {name}"), || stage.attach(pid))?;
    }
    Ok(())
}

/// Hears the child out, until it runs its program or waits at the gate.
///
/// An end of file means success only after `Ready`: a child that was killed, by the OOM killer or a filter, closes its
/// socket just as silently as one that has become its program.
fn listen(child: &Dialogue, stages: &mut [&mut Box<dyn Stage>], options: &Launch, running: &mut Running) -> Result<()> {
    let mut ready = false;
    loop {
        match child.recv()? {
            Some((Message::Mounted, _)) => {
                stages.iter_mut().try_for_each(|stage| stage.mounted())?;
                child.send(&Message::Go, None)?;
            }
            Some((Message::Console, fd)) => running.console = fd,
            Some((Message::Ready(timings), _)) => {
                running.timings = timings;
                ready = true;
                if options.gate.is_some() {
                    return Ok(());
                }
            }
            Some((Message::Failed(failure), _)) => return Err(failure),
            None if ready => return Ok(()),
            None => return Err(Failure::new("start the container", "its process ended without a word")),
            Some((unexpected, _)) => {
                return Err(Failure::new("start the container", format!("the child said {unexpected:?}")));
            }
        }
    }
}

/// Ends and reaps a child that did not become a container. When it died without a word, its status is the word.
fn bury(pidfd: &OwnedFd, failure: Failure) -> Failure {
    // Fails only when it has ended already.
    let _ = rustix::process::pidfd_send_signal(pidfd, Signal::KILL);
    let ended = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
    let silent = failure.cause.as_deref().is_some_and(|cause| cause.ends_with("without a word"));
    match ended.ok().flatten().and_then(|status| status.terminating_signal()) {
        Some(signal) if silent => {
            let name = nix::sys::signal::Signal::try_from(signal).map_or("an unknown signal", |signal| signal.as_str());
            let cause = format!("{}, killed by {name}", failure.cause.unwrap_or_default());
            Failure { cause: Some(cause), ..failure }
        }
        _ => failure,
    }
}

/// The stages that were not left out.
fn chosen<'s>(stages: &'s mut [Box<dyn Stage>], without: &[String]) -> Vec<&'s mut Box<dyn Stage>> {
    stages.iter_mut().filter(|stage| without.iter().all(|name| name != stage.name())).collect()
}

/// The stages for reading.
fn views<S: AsRef<dyn Stage>>(stages: &[S]) -> impl Iterator<Item = &dyn Stage> {
    stages.iter().map(|stage| -> &dyn Stage { stage.as_ref() })
}

/// The link count of `/proc/self/task` is the number of threads and two (one statx(2), where a listing would be many calls).
///
/// A thread that has just been joined is counted for a moment more, until the kernel has let go of it. So whoever seems to have
/// several is looked at again for a while.
fn require_one_thread() -> Result<()> {
    let tasks = "/proc/self/task";
    let count = || rustix::fs::stat(tasks).during("count the threads in", tasks).map(|stat| stat.st_nlink - 2);
    let deadline = Instant::now() + Duration::from_secs(1);
    while count()? > 1 {
        if Instant::now() > deadline {
            let cause = format!("this process has {} threads", count()?);
            return Err(Failure::new("fork the container's process", cause)
                .hint("Launch from a process that has started no thread, such as a small program of its own."));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Measures the parent's part.
struct Clock {
    wanted: bool,
    timings: Vec<Timing>,
}

impl Clock {
    fn new(wanted: bool) -> Self {
        Self { wanted, timings: Vec::new() }
    }

    fn time<T>(&mut self, name: impl FnOnce() -> String, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        if self.wanted {
            self.timings.push(Timing { name: name(), took: began.elapsed() });
        }
        done
    }
}
