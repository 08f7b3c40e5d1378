//! From limits to writes: pure, so that what both versions are told can be read, compared and tested without a kernel.
//!
//! | limit | version 1 | version 2 |
//! |---|---|---|
//! | `memory` | `memory.limit_in_bytes` | `memory.max` |
//! | `memory_swap`, the sum | `memory.memsw.limit_in_bytes`, the sum | `memory.swap.max`, swap alone |
//! | `memory_reservation` | `memory.soft_limit_in_bytes` | `memory.low` |
//! | `memory_swappiness` | `memory.swappiness` | none |
//! | `oom_kill_disable` | `memory.oom_control` | none |
//! | `cpu_shares`, 2 to 262144 | `cpu.shares` | `cpu.weight`, 1 to 10000 |
//! | `cpu_quota`, `cpu_period` | `cpu.cfs_quota_us`, `cpu.cfs_period_us` | `cpu.max`, both in one line |
//! | `cpu_burst`, `cpu_idle` | `cpu.cfs_burst_us`, `cpu.idle` | `cpu.max.burst`, `cpu.idle` |
//! | `cpu_rt_runtime`, `cpu_rt_period` | `cpu.rt_runtime_us`, `cpu.rt_period_us` | none |
//! | `cpuset_cpus`, `cpuset_mems` | `cpuset.cpus`, `cpuset.mems` | the same |
//! | `pids_max` | `pids.max` | the same |
//! | `blkio_weight` | `blkio.weight` or `blkio.bfq.weight` | `io.weight` |
//! | `blkio_weight_devices` | `blkio.weight_device` or `blkio.bfq.weight_device` | `io.weight`, after the device |
//! | `throttles` | `blkio.throttle.*`, four files | `io.max`, one line for each device |
//! | `huge_pages` | `hugetlb.SIZE.limit_in_bytes` | `hugetlb.SIZE.max` |
//! | `unified` | none | the files that it names |
//! | `devices` | `devices.deny`, `devices.allow` | no file but an eBPF program: `devices/` |
//!
//! The files are described in the kernel's `admin-guide/cgroup-v1/` and `admin-guide/cgroup-v2.rst`. Order matters in
//! two places: version 1 wants the memory limit before the sum with swap, and `devices.deny` before `devices.allow`.
//!
//! `v1.rs` and `v2.rs` have a function for each controller.

mod v1;
mod v2;

use std::borrow::Cow;
use std::fmt::Display;

use namespaces::{Failure, Result};
use serde::Serialize;

use crate::hierarchy::{Controller, Version};
use crate::limits::{Limits, UNLIMITED};

pub use v2::weight_from_shares;

/// One value for one file of the group's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// Which tree's directory.
    pub controller: Controller,
    /// File name: `memory.limit_in_bytes`.
    pub file: Cow<'static, str>,
    /// Another file for the same thing and the value in its units, for a kernel that does not have the first.
    pub fallback: Option<(&'static str, String)>,
    /// What is written, in one write(2).
    pub value: String,
    /// Nobody asked for this value by name, so a kernel without the file is no failure.
    pub optional: bool,
}

impl Write {
    fn new(controller: Controller, file: impl Into<Cow<'static, str>>, value: impl Display) -> Self {
        let file = file.into();
        Self { controller, file, fallback: None, value: value.to_string(), optional: false }
    }

    fn or(self, file: &'static str, value: impl Display) -> Self {
        Self { fallback: Some((file, value.to_string())), ..self }
    }

    fn optional(self, optional: bool) -> Self {
        Self { optional, ..self }
    }
}

/// What to write, in this order, into a new group.
pub fn plan_writes(limits: &Limits, version: Version) -> Vec<Write> {
    let ours = match version {
        Version::V1 => v1::writes(limits),
        Version::V2 => v2::writes(limits),
    };
    [cpuset(limits), pids(limits), ours].concat()
}

/// What to write, in this order, to change the limits of a group that already has some.
///
/// A field that is `None` leaves what is there. Devices are left as they are: taking them back from a running program
/// would only close the door behind what it has open.
pub fn plan_update(limits: &Limits, version: Version) -> Vec<Write> {
    let lift_ceiling = match (version, limits.memory) {
        // Version 1 insists on memory <= memory and swap at every moment. Raising both starts from above, lowering both
        // from below; lifting the second out of the way first makes one order right for either.
        (Version::V1, Some(_)) => {
            Some(Write::new(Controller::Memory, "memory.memsw.limit_in_bytes", -1).optional(true))
        }
        _ => None,
    };
    let lift_quota = match (version, limits.cpu_period, limits.cpu_quota) {
        // The same with a ratio that may not exceed the parent's at any moment: quota and period are two writes, and between
        // the old one of one and the new one of the other is any ratio at all. Without a quota it is the parent's.
        (Version::V1, Some(1..), Some(1..)) => Some(Write::new(Controller::Cpu, "cpu.cfs_quota_us", -1)),
        _ => None,
    };
    let writes = plan_writes(&Limits { devices: None, ..limits.clone() }, version);
    lift_ceiling.into_iter().chain(lift_quota).chain(writes).collect()
}

impl Limits {
    /// Refuses what only the other version has and what cannot be left out without a word.
    pub(crate) fn fits(&self, version: Version) -> Result<()> {
        if let Some(file) = self.unified.keys().next().filter(|_| version == Version::V1) {
            let cause = "invalid configuration: this machine has version 1 of cgroups";
            return Err(Failure::new("set the limit", cause).on(file).hint(
                "`unified` names files of version 2. Use the limits with names of their own, which work on both.",
            ));
        }
        if version == Version::V2 && (self.cpu_rt_runtime.is_some() || self.cpu_rt_period.is_some()) {
            let cause = "invalid configuration: this machine has version 2 of cgroups, which has no limit for them";
            return Err(
                Failure::new("limit realtime processes", cause).hint("Leave out the realtime period and runtime.")
            );
        }
        Ok(())
    }

    /// The limits that were asked for and have no effect in `version`: what a daemon warns about.
    pub fn without_effect(&self, version: Version) -> Vec<&'static str> {
        let asked =
            [(self.oom_kill_disable, "oom_kill_disable"), (self.memory_swappiness.is_some(), "memory_swappiness")];
        let ignored = asked.into_iter().filter(|(asked, _)| *asked && version == Version::V2);
        ignored.map(|(_, name)| name).collect()
    }
}

/// The same two files in both versions. An empty list means none was asked for.
fn cpuset(limits: &Limits) -> Vec<Write> {
    let set = |file, list: &Option<String>| {
        list.as_ref().filter(|list| !list.is_empty()).map(|list| Write::new(Controller::Cpuset, file, list))
    };
    set("cpuset.cpus", &limits.cpuset_cpus).into_iter().chain(set("cpuset.mems", &limits.cpuset_mems)).collect()
}

/// `None`, 0 and negative numbers are all the same in docker's words: no limit.
fn ceiling(value: i64) -> String {
    if value > 0 { value.to_string() } else { "max".to_owned() }
}

/// The same file in both versions, down to the word for no limit.
fn pids(limits: &Limits) -> Vec<Write> {
    limits.pids_max.map(|max| Write::new(Controller::Pids, "pids.max", ceiling(max))).into_iter().collect()
}

/// Bytes, or the version's word for no limit.
fn bytes(value: u64, unlimited: &str) -> String {
    if value == UNLIMITED { unlimited.to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::DeviceRule;
    use crate::limits::{DeviceWeight, HugePages, Throttle};
    use proptest::prelude::*;

    fn everything() -> Limits {
        Limits {
            memory: Some(64 << 20),
            memory_reservation: Some(32 << 20),
            memory_swap: None,
            memory_swappiness: Some(10),
            oom_kill_disable: true,
            cpu_shares: Some(512),
            cpu_quota: Some(50_000),
            cpu_period: Some(100_000),
            cpu_burst: Some(20_000),
            cpu_rt_runtime: Some(5_000),
            cpu_rt_period: Some(1_000_000),
            cpu_idle: true,
            cpuset_cpus: Some("0-1".into()),
            cpuset_mems: Some("0".into()),
            pids_max: Some(100),
            blkio_weight: Some(500),
            blkio_weight_devices: vec![DeviceWeight { major: 8, minor: 0, weight: 100 }],
            throttles: vec![Throttle {
                major: 8,
                read_bps: Some(1 << 20),
                write_iops: Some(10),
                ..Throttle::default()
            }],
            devices: Some(vec![
                DeviceRule::character(1, 3),
                DeviceRule { minor: None, ..DeviceRule::character(136, 0) },
            ]),
            huge_pages: vec![HugePages { size: "2MB".into(), bytes: 4 << 20 }],
            unified: [("memory.high".to_owned(), "48M".to_owned())].into(),
        }
    }

    fn shown(writes: &[Write]) -> String {
        let line = |write: &Write| {
            let fallback = write.fallback.as_ref().map(|(file, value)| format!(" (or {file} = {value})"));
            let fallback = fallback.unwrap_or_default();
            let optional = if write.optional { " (if there)" } else { "" };
            format!("{:?}: {} = {}{optional}{fallback}\n", write.controller, write.file, write.value)
        };
        writes.iter().map(line).collect()
    }

    #[test]
    fn everything_in_version_1() {
        insta::assert_snapshot!(shown(&plan_writes(&everything(), Version::V1)));
    }

    #[test]
    fn everything_in_version_2() {
        insta::assert_snapshot!(shown(&plan_writes(&everything(), Version::V2)));
        assert_eq!(everything().without_effect(Version::V2), ["oom_kill_disable", "memory_swappiness"]);
        assert!(everything().without_effect(Version::V1).is_empty());
    }

    #[test]
    fn nothing_asked_nothing_written() {
        for version in [Version::V1, Version::V2] {
            assert_eq!(plan_writes(&Limits::default(), version), []);
            assert_eq!(plan_update(&Limits::default(), version), []);
        }
    }

    #[test]
    fn dockers_zero_and_minus_one() {
        let limits = Limits {
            memory: Some(1 << 30),
            memory_swap: Some(-1),
            pids_max: Some(0),
            cpu_quota: Some(-1),
            ..Limits::default()
        };
        insta::assert_snapshot!(shown(&plan_writes(&limits, Version::V1)), @r#"
        Pids: pids.max = max
        Cpu: cpu.cfs_quota_us = -1
        Memory: memory.limit_in_bytes = 1073741824
        Memory: memory.memsw.limit_in_bytes = -1
        "#);
        insta::assert_snapshot!(shown(&plan_writes(&limits, Version::V2)), @r#"
        Pids: pids.max = max
        Cpu: cpu.max = max 100000
        Memory: memory.max = 1073741824
        Memory: memory.swap.max = max
        "#);
    }

    #[test]
    fn a_limit_can_be_taken_away() {
        let limits = Limits { memory: Some(UNLIMITED), ..Limits::default() };
        insta::assert_snapshot!(shown(&plan_update(&limits, Version::V1)), @r#"
        Memory: memory.memsw.limit_in_bytes = -1 (if there)
        Memory: memory.limit_in_bytes = -1
        Memory: memory.memsw.limit_in_bytes = -1 (if there)
        "#);
        insta::assert_snapshot!(shown(&plan_update(&limits, Version::V2)), @r#"
        Memory: memory.max = max
        Memory: memory.swap.max = max (if there)
        "#);
    }

    #[test]
    fn an_update_lifts_the_ceiling_first() {
        let limits = Limits { memory: Some(1 << 30), memory_swap: Some(1 << 30), ..everything() };
        insta::assert_snapshot!(shown(&plan_update(&limits, Version::V1)));
    }

    #[test]
    fn the_defaults_meet_in_the_weight() {
        let pairs: Vec<_> = [0, 2, 100, 512, 1024, 2048, 262_144, u64::MAX].map(|s| (s, weight_from_shares(s))).into();
        insta::assert_compact_debug_snapshot!(pairs, @"[(0, 1), (2, 1), (100, 17), (512, 59), (1024, 100), (2048, 174), (262144, 10000), (18446744073709551615, 10000)]");
    }

    proptest! {
        #[test]
        fn more_shares_are_never_less_weight(a in 0..300_000_u64, b in 0..300_000_u64) {
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(weight_from_shares(low) <= weight_from_shares(high));
        }
    }
}
