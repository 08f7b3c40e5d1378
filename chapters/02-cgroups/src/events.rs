//! Being told when memory runs short, instead of asking again and again.
//!
//! | event | version 1 | version 2 |
//! |---|---|---|
//! | out of memory | `memory.oom_control`, through `cgroup.event_control` | `memory.events` changes |
//! | pressure | `memory.pressure_level`, the same way | a trigger in `memory.pressure` (PSI) |
//!
//! Version 1 takes an eventfd(2) and counts it up at each event: one writes its number, the number of the watched file and
//! an argument into `cgroup.event_control`. On version 2 the files themselves can be waited for: poll(2) reports
//! `POLLPRI` on `memory.events` when a line of it has changed, and on a `memory.pressure` into which a trigger was written.
//!
//! The two mean different things by pressure. Version 1 looks at how much the kernel finds when it reclaims; version 2 at
//! how long processes stood waiting for memory. Both say the same to an engine: this container will be slow, and may be
//! killed soon.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use namespaces::{Context as _, Failure, Result};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::cgroup::{Cgroup, write_at};
use crate::hierarchy::{Controller, Version};

/// Processes that waited for memory for 100 ms within one second.
const TRIGGER: &str = "some 100000 1000000";

/// What a [`MemoryWatch`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryEvent {
    /// The limit was reached and the kernel found nothing to reclaim; a process is killed, or all wait.
    OutOfMemory,
    /// The kernel has to work to find memory.
    Pressure,
}

/// Waits for a group's memory to run short.
#[derive(Debug)]
pub struct MemoryWatch {
    version: Version,
    /// `memory.events` says that it has changed, not what: only more kills than these are news.
    kills: u64,
    out_of_memory: OwnedFd,
    /// `None` where the kernel does not measure it (no PSI, or a kernel without `memory.pressure_level`).
    pressure: Option<OwnedFd>,
}

impl Cgroup {
    /// Starts to watch. Events from now on are told, one after the other.
    pub fn watch_memory(&self) -> Result<MemoryWatch> {
        let what = || format!("the memory of the cgroup /{}", self.path().display());
        let absent = || Failure::new("watch", "this machine has no memory controller for it").on(what());
        self.dir(Controller::Memory).ok_or_else(absent)?;
        let watch = |errno: Errno| Err::<OwnedFd, _>(errno).during("watch", what());
        let (out_of_memory, pressure) = match self.version() {
            Version::V1 => (self.event_of("memory.oom_control", ""), self.event_of("memory.pressure_level", "medium")),
            Version::V2 => (self.open_file("memory.events", OFlags::RDONLY), self.pressure_trigger()),
        };
        let out_of_memory = out_of_memory.or_else(watch)?;
        let watch = MemoryWatch { version: self.version(), kills: 0, out_of_memory, pressure: pressure.ok() };
        // What happened before is no event.
        watch.take(&watch.out_of_memory);
        Ok(MemoryWatch { kills: self.oom_kills()?, ..watch })
    }

    /// Version 1: an eventfd that counts the events of `file`. The watched file need stay open no longer than the writing.
    fn event_of(&self, file: &str, argument: &str) -> rustix::io::Result<OwnedFd> {
        let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let watched = self.open_file(file, OFlags::RDONLY)?;
        let line = format!("{} {} {argument}", event.as_raw_fd(), watched.as_raw_fd());
        write_at(self.dir(Controller::Memory).ok_or(Errno::NOENT)?, "cgroup.event_control", line.trim_end())?;
        Ok(event)
    }

    /// Version 2: the trigger lives as long as the descriptor that it was written to.
    fn pressure_trigger(&self) -> rustix::io::Result<OwnedFd> {
        let file = self.open_file("memory.pressure", OFlags::RDWR)?;
        rustix::io::write(&file, TRIGGER.as_bytes())?;
        Ok(file)
    }

    fn open_file(&self, file: &str, access: OFlags) -> rustix::io::Result<OwnedFd> {
        let dir = self.dir(Controller::Memory).ok_or(Errno::NOENT)?;
        rustix::fs::openat(dir, file, access | OFlags::CLOEXEC, Mode::empty())
    }
}

impl MemoryWatch {
    /// Whether pressure is told too, or only what follows when nobody acts on it.
    pub fn tells_pressure(&self) -> bool {
        self.pressure.is_some()
    }

    /// The next event, or `None` after `timeout`. `cgroup` is the group that is watched.
    ///
    /// # Errors
    /// The group has been removed meanwhile (ENODEV).
    pub fn next(&mut self, cgroup: &Cgroup, timeout: Duration) -> Result<Option<MemoryEvent>> {
        let waiting = match self.version {
            Version::V1 => PollFlags::IN,
            Version::V2 => PollFlags::PRI,
        };
        let deadline = std::time::Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            let left =
                Timespec::try_from(left).map_err(|_| Failure::new("wait for memory events", "too long a time"))?;
            let fds = [Some(&self.out_of_memory), self.pressure.as_ref()];
            let mut polled: Vec<_> = fds.into_iter().flatten().map(|fd| PollFd::new(fd, waiting)).collect();
            let ready = rustix::io::retry_on_intr(|| rustix::event::poll(&mut polled, Some(&left)));
            if ready.step("wait for memory events")? == 0 {
                return Ok(None);
            }
            let happened: Vec<bool> = polled.iter().map(|one| one.revents().contains(waiting)).collect();
            drop(polled);
            if happened.first() == Some(&true) && self.was_out_of_memory(cgroup)? {
                return Ok(Some(MemoryEvent::OutOfMemory));
            }
            if let (Some(true), Some(pressure)) = (happened.get(1), &self.pressure) {
                self.take(pressure);
                return Ok(Some(MemoryEvent::Pressure));
            }
        }
    }

    /// Version 1 counts exactly this; in version 2 the file has other lines that change too.
    fn was_out_of_memory(&mut self, cgroup: &Cgroup) -> Result<bool> {
        self.take(&self.out_of_memory);
        let before = std::mem::replace(&mut self.kills, cgroup.oom_kills()?);
        Ok(self.version == Version::V1 || self.kills > before)
    }

    /// An eventfd is at rest when it has been read, and so is a file of version 2, from its beginning. What it says is of no
    /// interest here, nor that another reader was faster.
    fn take(&self, fd: &OwnedFd) {
        let mut text = [0_u8; 256];
        let _ = match self.version {
            Version::V1 => rustix::io::read(fd, &mut text),
            Version::V2 => rustix::io::pread(fd, &mut text, 0),
        };
    }
}
