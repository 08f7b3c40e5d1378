//! Limits become writes become files: all of them when a group is made, some of them while its processes run.
//!
//! The writes are planned without looking at the machine ([`crate::writes`]). What has to be looked at is here: what version 2
//! keeps in one line and a request gives one half of, and how much memory is in use before it is limited.

use std::os::fd::OwnedFd;

use namespaces::{Failure, Result};
use rustix::io::Errno;

use crate::cgroup::{Cgroup, open_to_write};
use crate::counters::single;
use crate::hierarchy::{Controller, Version};
use crate::limits::Limits;
use crate::refusal::explain;
use crate::writes::{Write, plan_update};

impl Cgroup {
    /// Changes the limits of the group while its processes run. What is `None` stays as it is.
    ///
    /// # Errors
    /// Memory below what is used now (EBUSY): the processes would be killed for a number that somebody typed.
    pub fn update(&self, limits: &Limits) -> Result<()> {
        limits.fits(self.version)?;
        let limits = &self.completed(limits)?;
        if self.version == Version::V2 && limits.memory.is_some_and(|most| self.in_use().is_ok_and(|used| used > most))
        {
            let refused = plan_update(limits, self.version).into_iter().find(|write| write.file == "memory.max");
            return refused.map_or(Ok(()), |write| Err(explain(self, &write, Errno::BUSY)));
        }
        self.apply(&plan_update(limits, self.version))
    }

    /// Version 2 has quota and period in one line, and swap apart from memory: to change one, the other is read.
    fn completed(&self, limits: &Limits) -> Result<Limits> {
        let mut limits = limits.clone();
        if self.version == Version::V1 {
            return Ok(limits);
        }
        let number = |file| Ok::<_, Failure>(self.read(Controller::Memory, file)?.and_then(|text| single(&text)));
        if limits.cpu_quota.is_some() != limits.cpu_period.is_some() {
            let line = self.read(Controller::Cpu, "cpu.max")?.unwrap_or_default();
            let (quota, period) = line.trim().split_once(' ').unwrap_or_default();
            limits.cpu_quota = limits.cpu_quota.or(Some(quota.parse().unwrap_or(-1)));
            limits.cpu_period = limits.cpu_period.or(period.parse().ok());
        }
        if limits.memory.is_none() && limits.memory_swap.is_some_and(|swap| swap > 0) {
            limits.memory = number("memory.max")?;
        }
        Ok(limits)
    }

    /// Memory that the kernel could not have back without swapping.
    fn in_use(&self) -> Result<u64> {
        Ok(self.stats()?.memory.working_set())
    }

    /// Writes the values in order. Consecutive values for one file share its descriptor: the devices list is a dozen of
    /// them.
    pub(crate) fn apply(&self, writes: &[Write]) -> Result<()> {
        for same_file in writes.chunk_by(|a, b| a.file == b.file) {
            let Some(first) = same_file.first() else { continue };
            let (file, by_fallback) = match self.open_for(first) {
                Err(Errno::NOENT) if first.optional => continue,
                opened => opened.map_err(|errno| explain(self, first, errno))?,
            };
            for write in same_file {
                let other = write.fallback.as_ref().filter(|_| by_fallback);
                let value = other.map_or(&write.value, |(_, value)| value);
                rustix::io::write(&file, value.as_bytes()).map_err(|errno| explain(self, write, errno))?;
            }
        }
        Ok(())
    }

    /// The file of `write`, or its fallback if the kernel does not have the first, and which of them it is.
    fn open_for(&self, write: &Write) -> rustix::io::Result<(OwnedFd, bool)> {
        let dir = self.dir(write.controller).ok_or(Errno::NOENT)?;
        match (open_to_write(dir, &write.file), &write.fallback) {
            (Err(Errno::NOENT), Some((file, _))) => open_to_write(dir, file).map(|file| (file, true)),
            (opened, _) => opened.map(|file| (file, false)),
        }
    }
}
