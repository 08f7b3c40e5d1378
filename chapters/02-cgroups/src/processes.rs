//! The processes of a group, as a whole: join, list, freeze, thaw, kill.
//!
//! **Joining.** A process is put into a group by writing its number to the group's `cgroup.procs`, from outside. That
//! is the obvious way, and on version 1 the expensive one:
//!
//! | into eight trees | median |
//! |---|---|
//! | the parent writes the child's number to each `cgroup.procs` | 14.7 ms |
//! | the child writes `0` to each `tasks` | 0.09 ms |
//! | version 2: the child is born there (`CLONE_INTO_CGROUP`, clone(2)) | nothing |
//!
//! To move a process with all its threads the kernel holds up every fork of the machine with a lock
//! (`cgroup_threadgroup_rwsem`), and after a quiet moment that means waiting until every processor has passed through a
//! quiescent state. A thread that moves *itself* needs no such lock.
//!
//! **Freezing** is the scheduler's own stop: unlike with SIGSTOP the processes and their parents notice nothing.
//!
//! **Killing** a group is more than killing its processes one by one, because they fork meanwhile, and because a number
//! read a moment ago may be a stranger's by now. Version 2 has a file for it. Version 1 has the freezer: what stands
//! still can neither fork nor end.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use namespaces::{Context as _, Failure, Result};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::cgroup::{Cgroup, open_to_write, read_at, write_at};
use crate::ending::{Ending, describe, exiting};
use crate::hierarchy::{Controller, Version};

/// How long freezing and killing may take. Both wait for processes to leave the kernel; one that hangs there on a dead
/// disk never does.
const PATIENCE: Duration = Duration::from_secs(10);

impl Cgroup {
    /// The files through which a process with one thread joins: `tasks` in each tree of version 1, `cgroup.procs` in
    /// version 2. They are opened by the parent, because the child will not see `/sys/fs/cgroup` for long.
    ///
    /// `tasks` moves one thread, `cgroup.procs` a process with all of its threads. A child between clone3 and execve
    /// has one thread, so both mean the same, but for the price (see the top of this file).
    pub fn open_tasks(&self) -> Result<Vec<OwnedFd>> {
        let file = match self.version() {
            Version::V1 => "tasks",
            Version::V2 => "cgroup.procs",
        };
        let open = |dir: BorrowedFd<'_>| {
            open_to_write(dir, file).during("open", format!("{file} of the cgroup /{}", self.path().display()))
        };
        self.dirs.iter().map(|dir| open(dir.fd.as_fd())).collect()
    }

    /// Its process ids, as the caller's pid namespace numbers them, with those of the groups inside it.
    pub fn processes(&self) -> Result<Vec<Pid>> {
        let mut found = Vec::new();
        let dir = self.freezing_dir().or_else(|_| self.any_dir())?;
        list_processes(dir, &mut found).during("list the processes of the cgroup", self.path().display())?;
        Ok(found)
    }

    /// Stops every process where it stands, and returns when all have stopped. They notice nothing, unlike with
    /// SIGSTOP.
    ///
    /// # Errors
    /// No process is in the group (ESRCH): what was there has ended.
    pub fn freeze(&self) -> Result<()> {
        self.freeze_while(|| true)
    }

    /// The same, given up as soon as `wanted` says no. A freeze that does not come to its end is taken back: half of a
    /// group that stands still keeps the other half from ending (a container's init waits for its killed children, and
    /// frozen in version 1 those do not notice that they were killed).
    ///
    /// So on version 1 nobody must be ending when the group stands: then it is let go, and frozen once he has ended. With
    /// a killer that sends its signal first and thaws afterwards, one of the two sees the other, whoever comes first.
    pub fn freeze_while(&self, wanted: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let still_wanted = || wanted() && Instant::now() < deadline;
        loop {
            let frozen = self.set_frozen(true, || still_wanted() && !self.somebody_is_ending());
            if frozen.is_ok() && !self.somebody_is_ending() {
                break;
            }
            self.thaw()?;
            if !still_wanted() {
                let stuck =
                    Failure::new("freeze the cgroup", "some of its processes do not stop").on(self.path().display());
                return frozen.and(Err(stuck));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if self.processes()?.is_empty() {
            self.thaw()?;
            let nobody = Failure::new("freeze the cgroup", "no process is in it").on(self.path().display());
            return Err(Failure { errno: Some(Errno::SRCH.raw_os_error()), ..nobody });
        }
        Ok(())
    }

    /// Whether a freeze would keep one of its processes from ending: one that was killed and has not noticed, or the child
    /// of one that is on its way out and waits for its children. Version 2 lets those go who were killed.
    fn somebody_is_ending(&self) -> bool {
        let is_ending = |pid: &Pid| Ending::of(*pid).is_some_and(|one| one.killed || exiting(one.parent));
        self.version() == Version::V1 && self.processes().is_ok_and(|pids| pids.iter().any(is_ending))
    }

    /// Lets frozen processes go on.
    pub fn thaw(&self) -> Result<()> {
        self.set_frozen(false, || true)
    }

    /// Kills every process with SIGKILL, frozen ones too, and returns when none is left. A process that forks faster
    /// than one can list cannot get away, and neither does a group that somebody freezes meanwhile: every round thaws.
    pub fn kill(&self) -> Result<()> {
        let whole_group =
            self.version() == Version::V2 && self.any_dir().is_ok_and(|dir| write_at(dir, "cgroup.kill", "1").is_ok());
        let deadline = Instant::now() + PATIENCE;
        while !self.processes()?.is_empty() {
            if Instant::now() > deadline {
                let cause = "some do not end, they wait inside the kernel";
                let failure = Failure::new("kill the processes of the cgroup", cause).on(self.path().display());
                return Err(failure.hint(format!("Still there: {}.", describe(&self.processes()?))));
            }
            if !whole_group {
                self.kill_listed()?;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Kills those on the list. Frozen, none of them can fork or end meanwhile, so the list is complete and no number
    /// on it can have been given to a stranger. If they cannot be frozen the round may miss some; the next round gets
    /// them.
    fn kill_listed(&self) -> Result<()> {
        let _ = self.freezing_dir().map(|dir| self.write_frozen(dir, true));
        for pid in self.processes()? {
            match kill_process(pid, Signal::KILL) {
                Ok(()) | Err(Errno::SRCH) => {}
                Err(errno) => return Err(errno).during("kill process", pid.as_raw_nonzero()),
            }
        }
        let _ = self.freezing_dir().map(|dir| self.write_frozen(dir, false));
        Ok(())
    }

    /// Writes what is wanted and looks until it is so: freezing takes as long as the slowest process needs to get out
    /// of the kernel.
    fn set_frozen(&self, frozen: bool, wanted: impl Fn() -> bool) -> Result<()> {
        let step = if frozen { "freeze the cgroup" } else { "thaw the cgroup" };
        let dir = self.freezing_dir()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Version 1 can get stuck half way when a process forks meanwhile, and goes on when asked again.
            self.write_frozen(dir, frozen).during(step, self.path().display())?;
            if self.is_frozen(dir).during(step, self.path().display())? == frozen {
                return Ok(());
            }
            if !wanted() || Instant::now() > deadline {
                return Err(Failure::new(step, "some of its processes do not stop").on(self.path().display()));
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Where the file to freeze with is: a tree of its own in version 1, the group itself in version 2.
    fn freezing_dir(&self) -> Result<BorrowedFd<'_>> {
        if self.version() == Version::V2 {
            return self.any_dir();
        }
        self.dir(Controller::Freezer).ok_or_else(|| {
            Failure::new("freeze the cgroup", "this machine has no freezer controller")
                .on(self.path().display())
                .hint("Mount it: mount -t cgroup -o freezer freezer /sys/fs/cgroup/freezer.")
        })
    }

    fn write_frozen(&self, dir: BorrowedFd<'_>, frozen: bool) -> rustix::io::Result<()> {
        match (self.version(), frozen) {
            (Version::V1, true) => write_at(dir, "freezer.state", "FROZEN"),
            (Version::V1, false) => write_at(dir, "freezer.state", "THAWED"),
            (Version::V2, true) => write_at(dir, "cgroup.freeze", "1"),
            (Version::V2, false) => write_at(dir, "cgroup.freeze", "0"),
        }
    }

    fn is_frozen(&self, dir: BorrowedFd<'_>) -> std::io::Result<bool> {
        Ok(match self.version() {
            Version::V1 => read_at(dir, "freezer.state")?.is_some_and(|state| state.trim() == "FROZEN"),
            Version::V2 => read_at(dir, "cgroup.events")?.is_some_and(|events| events.contains("frozen 1")),
        })
    }
}

// ANCHOR: join
/// Joins the groups behind `tasks` (from [`Cgroup::open_tasks`]). For the calling process, which must have one thread.
pub(crate) fn join_self(tasks: &[OwnedFd]) -> Result<()> {
    for file in tasks {
        // "0" is whoever writes, which is right in any pid namespace.
        rustix::io::write(file, b"0").map_err(explain_join)?;
    }
    Ok(())
}
// ANCHOR_END: join

/// The refusals that have a reason a person can do something about (cgroups(7)).
fn explain_join(errno: Errno) -> Failure {
    let refused = Err::<(), _>(errno).step("join the cgroup").err();
    let failure = refused.unwrap_or_else(|| Failure::new("join the cgroup", errno));
    match errno {
        Errno::NOSPC => {
            failure.hint("The cpuset has no processors or no memory nodes: write cpuset.cpus and cpuset.mems.")
        }
        Errno::AGAIN => failure.hint("The group has reached its limit of processes."),
        Errno::NODEV => failure.hint("The group was removed meanwhile: the container has ended."),
        _ => failure,
    }
}

/// Adds the ids in `cgroup.procs` of a group and of those inside it. A group that vanishes meanwhile has none.
fn list_processes(dir: BorrowedFd<'_>, found: &mut Vec<Pid>) -> std::io::Result<()> {
    let text = match read_at(dir, "cgroup.procs") {
        Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => None,
        text => text?,
    };
    let ids = text.iter().flat_map(|text| text.lines()).filter_map(|line| line.parse().ok());
    found.extend(ids.filter_map(Pid::from_raw));
    let readable =
        match rustix::fs::openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(()),
            readable => readable?,
        };
    for entry in rustix::fs::Dir::read_from(&readable)? {
        let entry = entry?;
        if entry.file_type() != FileType::Directory || matches!(entry.file_name().to_bytes(), b"." | b"..") {
            continue;
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(dir, entry.file_name(), flags, Mode::empty()) {
            Ok(inner) => list_processes(inner.as_fd(), found)?,
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
