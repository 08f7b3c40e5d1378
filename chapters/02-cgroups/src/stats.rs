//! What a group has used so far, in one pass over its files and in the same units for both versions.
//!
//! | number | version 1 | version 2 |
//! |---|---|---|
//! | processor time | `cpuacct.usage` in ns | `usage_usec` in `cpu.stat` |
//! | held back by the quota | `throttled_time` in `cpu.stat`, ns | `throttled_usec` in `cpu.stat` |
//! | memory now, most, limit | `memory.usage_in_bytes`, `memory.max_usage_in_bytes`, `memory.limit_in_bytes` | `memory.current`, `memory.peak`, `memory.max` |
//! | killed for want of memory | `oom_kill` in `memory.oom_control` | `oom_kill` in `memory.events` |
//! | processes | `pids.current`, `pids.max` | the same |
//! | block devices | `blkio.throttle.io_service_bytes_recursive` and `io_serviced_recursive` | `io.stat` |
//!
//! The counters belong to the group and not to its processes: what a process used that has ended is still in them. That
//! is why an engine asks here, and does not add up `/proc/PID/stat`.
//!
//! Memory needs a word. `usage` has the page cache in it, so a container that reads a large file seems to use as much
//! as it may. The kernel drops clean cache before it kills anybody; what is left without it is [`Memory::working_set`].

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use namespaces::Result;
use serde::{Deserialize, Serialize};

use crate::cgroup::Cgroup;
use crate::counters::{BlockIo, block_v1, block_v2, flat, flat_value, single};
use crate::hierarchy::{Controller, Version};
use crate::size::format_size;

/// What a group has used. What the machine does not count is 0, `None` or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Processor time.
    pub cpu: Cpu,
    /// Memory.
    pub memory: Memory,
    /// Processes and threads.
    pub pids: Pids,
    /// Block devices, one entry each. Only requests that reached a device count, not those that the page cache
    /// answered.
    pub block_io: Vec<BlockIo>,
}

/// Processor time in nanoseconds, growing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cpu {
    /// All of it, on all processors.
    pub usage_ns: u64,
    /// In programs.
    pub user_ns: u64,
    /// In the kernel on their behalf.
    pub system_ns: u64,
    /// By processor; empty in version 2.
    pub per_cpu_ns: Vec<u64>,
    /// Accounting periods that passed while there was a quota.
    pub periods: u64,
    /// Those in which the quota was used up.
    pub throttled_periods: u64,
    /// Time spent waiting for the next period.
    pub throttled_ns: u64,
}

/// Memory in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Now, page cache included.
    pub usage: u64,
    /// The most so far.
    pub peak: u64,
    /// `None` is unlimited.
    pub limit: Option<u64>,
    /// Swap now; `None` when it is not counted.
    pub swap: Option<u64>,
    /// How often the limit was reached, killed or not. Recent kernels count it in version 1 only while swap could help.
    pub limit_hits: u64,
    /// Processes killed for want of memory.
    pub oom_kills: u64,
    /// The kernel's own break-down (`memory.stat`), whose keys depend on the version.
    pub stat: BTreeMap<String, u64>,
}

/// Processes and threads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pids {
    /// Now.
    pub current: u64,
    /// `None` is unlimited.
    pub limit: Option<u64>,
}

impl Memory {
    /// Memory that could not be had back by dropping clean page cache: what `docker stats` shows as usage.
    pub fn working_set(&self) -> u64 {
        let idle =
            self.stat.get("total_inactive_file").or_else(|| self.stat.get("inactive_file")).copied().unwrap_or(0);
        self.usage.saturating_sub(idle)
    }
}

/// A line for each controller, for people.
impl Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = |limit: Option<u64>, shown: fn(u64) -> String| limit.map_or_else(|| "no limit".to_owned(), shown);
        let (cpu, memory, pids) = (&self.cpu, &self.memory, &self.pids);
        writeln!(f, "memory  {} of {}", format_size(memory.working_set()), limit(memory.limit, format_size))?;
        writeln!(f, "pids    {} of {}", pids.current, limit(pids.limit, |max| max.to_string()))?;
        write!(f, "cpu     {} ms, held back {} ms", cpu.usage_ns / 1_000_000, cpu.throttled_ns / 1_000_000)?;
        for disk in &self.block_io {
            let (read, written) = (format_size(disk.read_bytes), format_size(disk.write_bytes));
            write!(f, "\ndisk    {}:{} read {read}, written {written}", disk.major, disk.minor)?;
        }
        Ok(())
    }
}

impl Cgroup {
    /// What the group has used so far.
    pub fn stats(&self) -> Result<Stats> {
        match self.version() {
            Version::V1 => self.stats_v1(),
            Version::V2 => self.stats_v2(),
        }
    }

    /// How many of its processes were killed for want of memory.
    pub fn oom_kills(&self) -> Result<u64> {
        let file = match self.version() {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        Ok(flat_value(&self.text(Controller::Memory, file)?, "oom_kill"))
    }

    /// Twelve files in five trees.
    fn stats_v1(&self) -> Result<Stats> {
        let memory = |file| self.text(Controller::Memory, file);
        let number = |text: String| single(&text).unwrap_or(0);
        let cpuacct = |file| self.text(Controller::Cpuacct, file);
        let cpu = self.text(Controller::Cpu, "cpu.stat")?;
        let usage = number(memory("memory.usage_in_bytes")?);
        let with_swap = self.read(Controller::Memory, "memory.memsw.usage_in_bytes")?;
        Ok(Stats {
            cpu: Cpu {
                usage_ns: number(cpuacct("cpuacct.usage")?),
                user_ns: number(cpuacct("cpuacct.usage_user")?),
                system_ns: number(cpuacct("cpuacct.usage_sys")?),
                per_cpu_ns: cpuacct("cpuacct.usage_percpu")?
                    .split_whitespace()
                    .filter_map(|n| n.parse().ok())
                    .collect(),
                periods: flat_value(&cpu, "nr_periods"),
                throttled_periods: flat_value(&cpu, "nr_throttled"),
                throttled_ns: flat_value(&cpu, "throttled_time"),
            },
            memory: Memory {
                usage,
                peak: number(memory("memory.max_usage_in_bytes")?),
                limit: single(&memory("memory.limit_in_bytes")?),
                swap: with_swap.map(|text| single(&text).unwrap_or(0).saturating_sub(usage)),
                limit_hits: number(memory("memory.failcnt")?),
                oom_kills: self.oom_kills()?,
                stat: owned(&memory("memory.stat")?),
            },
            pids: self.pids()?,
            block_io: block_v1(
                &self.text(Controller::Blkio, "blkio.throttle.io_service_bytes_recursive")?,
                &self.text(Controller::Blkio, "blkio.throttle.io_serviced_recursive")?,
            ),
        })
    }

    /// One directory, and microseconds where version 1 has nanoseconds.
    fn stats_v2(&self) -> Result<Stats> {
        let memory = |file| self.text(Controller::Memory, file);
        let number = |text: String| single(&text).unwrap_or(0);
        let cpu = self.text(Controller::Cpu, "cpu.stat")?;
        let events = memory("memory.events")?;
        let nanoseconds = |key| flat_value(&cpu, key).saturating_mul(1_000);
        Ok(Stats {
            cpu: Cpu {
                usage_ns: nanoseconds("usage_usec"),
                user_ns: nanoseconds("user_usec"),
                system_ns: nanoseconds("system_usec"),
                per_cpu_ns: Vec::new(),
                periods: flat_value(&cpu, "nr_periods"),
                throttled_periods: flat_value(&cpu, "nr_throttled"),
                throttled_ns: nanoseconds("throttled_usec"),
            },
            memory: Memory {
                usage: number(memory("memory.current")?),
                peak: number(memory("memory.peak")?),
                limit: single(&memory("memory.max")?),
                swap: self.read(Controller::Memory, "memory.swap.current")?.and_then(|text| single(&text)),
                limit_hits: flat_value(&events, "max"),
                oom_kills: flat_value(&events, "oom_kill"),
                stat: owned(&memory("memory.stat")?),
            },
            pids: self.pids()?,
            block_io: block_v2(&self.text(Controller::Blkio, "io.stat")?),
        })
    }

    fn pids(&self) -> Result<Pids> {
        Ok(Pids {
            current: single(&self.text(Controller::Pids, "pids.current")?).unwrap_or(0),
            limit: single(&self.text(Controller::Pids, "pids.max")?),
        })
    }

    /// The text of a file, empty when there is none.
    fn text(&self, controller: Controller, file: &str) -> Result<String> {
        Ok(self.read(controller, file)?.unwrap_or_default())
    }
}

fn owned(text: &str) -> BTreeMap<String, u64> {
    flat(text).map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_people() {
        let stats = Stats {
            cpu: Cpu { usage_ns: 12_345_678, ..Cpu::default() },
            memory: Memory {
                usage: 3 << 20,
                limit: Some(64 << 20),
                stat: [("total_inactive_file".to_owned(), 1 << 20)].into(),
                ..Memory::default()
            },
            pids: Pids { current: 2, limit: None },
            block_io: vec![BlockIo { major: 8, read_bytes: 4096, ..BlockIo::default() }],
        };
        insta::assert_snapshot!(stats, @r#"
        memory  2MiB of 64MiB
        pids    2 of no limit
        cpu     12 ms, held back 0 ms
        disk    8:0 read 4KiB, written 0B
        "#);
    }
}
