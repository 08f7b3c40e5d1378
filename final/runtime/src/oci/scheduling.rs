//! When a process runs, in the specification's words (config.md, "Linux Process"): scheduler, I/O priority, processors; and
//! what it takes the machine for, its execution domain.

use namespaces::{Failure, IoPriority, Result, Scheduler};

use super::config;
use super::translate::strange;

const POLICIES: [(&str, u32); 7] = [
    ("SCHED_OTHER", 0),
    ("SCHED_FIFO", 1),
    ("SCHED_RR", 2),
    ("SCHED_BATCH", 3),
    ("SCHED_ISO", 4),
    ("SCHED_IDLE", 5),
    ("SCHED_DEADLINE", 6),
];

const FLAGS: [(&str, u64); 7] = [
    ("SCHED_FLAG_RESET_ON_FORK", 0x01),
    ("SCHED_FLAG_RECLAIM", 0x02),
    ("SCHED_FLAG_DL_OVERRUN", 0x04),
    ("SCHED_FLAG_KEEP_POLICY", 0x08),
    ("SCHED_FLAG_KEEP_PARAMS", 0x10),
    ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
    ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
];

const CLASSES: [(&str, u16); 3] = [("IOPRIO_CLASS_RT", 1), ("IOPRIO_CLASS_BE", 2), ("IOPRIO_CLASS_IDLE", 3)];

const DOMAINS: [(&str, u32); 2] = [("LINUX", 0), ("LINUX32", 8)];

pub(super) fn scheduler(wanted: &config::Scheduler) -> Result<Scheduler> {
    let mut flags = 0;
    for name in &wanted.flags {
        flags |= named(&FLAGS, name).ok_or_else(|| strange("process.scheduler.flags", name))?;
    }
    let priority = u32::try_from(wanted.priority);
    Ok(Scheduler {
        policy: named(&POLICIES, &wanted.policy).ok_or_else(|| strange("process.scheduler.policy", &wanted.policy))?,
        nice: wanted.nice,
        priority: priority.map_err(|_| strange("process.scheduler.priority", wanted.priority))?,
        flags,
        runtime: wanted.runtime,
        deadline: wanted.deadline,
        period: wanted.period,
    })
}

pub(super) fn io_priority(wanted: &config::IoPriority) -> Result<IoPriority> {
    let level = u16::try_from(wanted.priority).ok().filter(|level| *level < 8);
    Ok(IoPriority {
        class: named(&CLASSES, &wanted.class).ok_or_else(|| strange("process.ioPriority.class", &wanted.class))?,
        level: level.ok_or_else(|| strange("process.ioPriority.priority", wanted.priority))?,
    })
}

pub(super) fn personality(wanted: &config::Personality) -> Result<u32> {
    if let Some(flag) = wanted.flags.first() {
        return Err(strange("linux.personality.flags", flag));
    }
    named(&DOMAINS, &wanted.domain).ok_or_else(|| strange("linux.personality.domain", &wanted.domain))
}

/// A list such as `0-2,4` as its numbers.
pub(super) fn processors(list: &str) -> Result<Vec<u32>> {
    const MOST: u32 = 1024;
    let ranges = cgroups::parse_cpuset(list)?;
    match ranges.iter().find(|(_, end)| *end >= MOST) {
        Some((_, end)) => Err(Failure::new("use the processors", format!("there is no processor {end}")).on(list)),
        None => Ok(ranges.into_iter().flat_map(|(first, end)| first..=end).collect()),
    }
}

fn named<T: Copy>(table: &[(&str, T)], wanted: &str) -> Option<T> {
    table.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value)
}
