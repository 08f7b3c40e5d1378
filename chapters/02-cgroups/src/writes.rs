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
//! | `cpuset_cpus`, `cpuset_mems` | `cpuset.cpus`, `cpuset.mems` | the same |
//! | `pids_max` | `pids.max` | the same |
//! | `blkio_weight` | `blkio.weight` or `blkio.bfq.weight` | `io.weight` |
//! | `throttles` | `blkio.throttle.*`, four files | `io.max`, one line for each device |
//! | `devices` | `devices.deny`, `devices.allow` | an eBPF program: not in this chapter yet |
//!
//! The files are described in the kernel's `admin-guide/cgroup-v1/` and `admin-guide/cgroup-v2.rst`. Order matters in
//! two places: version 1 wants the memory limit before the sum with swap, and `devices.deny` before `devices.allow`.
//!
//! On version 2 the last row means that a container that may make device nodes (`CAP_MKNOD` is in docker's default set)
//! can open them. [`Limits::without_effect`] says so for the daemon to warn about.

use std::fmt::Display;

use serde::Serialize;

use crate::devices::DeviceRule;
use crate::hierarchy::{Controller, Version};
use crate::limits::{DEFAULT_PERIOD, Limits, Throttle};

/// One value for one file of the group's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    /// Which tree's directory.
    pub controller: Controller,
    /// File name: `memory.limit_in_bytes`.
    pub file: &'static str,
    /// Another name of the same thing, tried when the kernel has no file of the first.
    pub fallback: Option<&'static str>,
    /// What is written, in one write(2).
    pub value: String,
    /// Nobody asked for this value by name, so a kernel without the file is no failure.
    pub optional: bool,
}

impl Write {
    fn new(controller: Controller, file: &'static str, value: impl Display) -> Self {
        Self { controller, file, fallback: None, value: value.to_string(), optional: false }
    }

    fn or(self, fallback: &'static str) -> Self {
        Self { fallback: Some(fallback), ..self }
    }

    fn optional(self, optional: bool) -> Self {
        Self { optional, ..self }
    }
}

/// What to write, in this order, into a new group.
pub fn plan_writes(limits: &Limits, version: Version) -> Vec<Write> {
    match version {
        Version::V1 => {
            [cpuset(limits), cpu_v1(limits), memory_v1(limits), pids(limits), blkio_v1(limits), devices_v1(limits)]
                .concat()
        }
        Version::V2 => [cpuset(limits), cpu_v2(limits), memory_v2(limits), pids(limits), io_v2(limits)].concat(),
    }
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
    let writes = plan_writes(&Limits { devices: None, ..limits.clone() }, version);
    lift_ceiling.into_iter().chain(writes).collect()
}

impl Limits {
    /// The limits that were asked for and have no effect in `version`: what a daemon warns about.
    pub fn without_effect(&self, version: Version) -> Vec<&'static str> {
        let asked = [
            (self.oom_kill_disable, "oom_kill_disable"),
            (self.memory_swappiness.is_some(), "memory_swappiness"),
            (self.devices.is_some(), "devices"),
        ];
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

/// Docker's words are version 1's words: each field has its file. The period comes first, because the kernel checks a
/// quota against the period that is in force.
fn cpu_v1(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Cpu, file, value);
    let shares = limits.cpu_shares.filter(|shares| *shares > 0);
    let period = limits.cpu_period.filter(|period| *period > 0);
    let quota = limits.cpu_quota.filter(|quota| *quota != 0);
    [
        shares.map(|shares| write("cpu.shares", shares.to_string())),
        period.map(|period| write("cpu.cfs_period_us", period.to_string())),
        quota.map(|quota| write("cpu.cfs_quota_us", quota.to_string())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Quota and period share a file, so whichever is not asked for is written with its default.
fn cpu_v2(limits: &Limits) -> Vec<Write> {
    let shares = limits.cpu_shares.filter(|shares| *shares > 0);
    let weight = shares.map(|shares| Write::new(Controller::Cpu, "cpu.weight", weight_from_shares(shares)));
    let quota = limits.cpu_quota.filter(|quota| *quota != 0);
    let period = limits.cpu_period.filter(|period| *period > 0);
    let max = (quota.is_some() || period.is_some()).then(|| {
        let value = format!("{} {}", ceiling(quota.unwrap_or(-1)), period.unwrap_or(DEFAULT_PERIOD));
        Write::new(Controller::Cpu, "cpu.max", value)
    });
    weight.into_iter().chain(max).collect()
}

/// Version 2's `cpu.weight` (1 to 10000, default 100) for docker's shares (2 to 262144, default 1024):
/// `10^((l² + 125·l) / 612 − 7/34)` with `l = log₂(shares)`, rounded up.
///
/// This is the formula of runc 1.3.2 and crun 1.23. It maps both ends *and* the defaults onto each other. The straight
/// line that runtimes used before maps 1024 to 39, which made every container lighter than any service of the host.
pub fn weight_from_shares(shares: u64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "at most 2^18 after the clamp, exact in a float")]
    let l = (shares.clamp(2, 262_144) as f64).log2();
    let weight = 10_f64.powf((l * l + 125.0 * l) / 612.0 - 7.0 / 34.0);
    // A float may miss 100 by its last bit; that must not round up to 101.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 10000 by the clamp above")]
    let weight = (weight - 1e-6).ceil() as u64;
    weight.clamp(1, 10_000)
}

/// Swap is limited whenever memory is, or a program would go on growing in swap, slowly. A kernel that does not account
/// swap (`swapaccount=0`) has no such file; that is a failure only for those who asked for a number.
fn memory_v1(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Memory, file, value);
    let memory = limits.memory.filter(|memory| *memory > 0);
    let swap = match limits.memory_and_swap() {
        Some(bytes) => (memory.is_some() || limits.memory_swap.is_some()).then(|| bytes.to_string()),
        None => limits.memory_swap.map(|_| "-1".to_owned()),
    };
    let swap_was_asked = limits.memory_swap.is_some_and(|swap| swap != 0);
    [
        memory.map(|memory| write("memory.limit_in_bytes", memory.to_string())),
        swap.map(|swap| write("memory.memsw.limit_in_bytes", swap).optional(!swap_was_asked)),
        limits.memory_reservation.filter(|r| *r > 0).map(|r| write("memory.soft_limit_in_bytes", r.to_string())),
        limits.memory_swappiness.map(|swappiness| write("memory.swappiness", swappiness.to_string())),
        limits.oom_kill_disable.then(|| write("memory.oom_control", "1".to_owned())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Version 2 counts swap apart from memory, so docker's sum is split.
fn memory_v2(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Memory, file, value);
    let memory = limits.memory.filter(|memory| *memory > 0);
    let swap_was_asked = limits.memory_swap.is_some_and(|swap| swap != 0);
    let swap = match (limits.memory_and_swap(), memory) {
        (Some(sum), Some(memory)) => Some(sum.saturating_sub(memory).to_string()),
        (None, _) if limits.memory_swap.is_some() => Some("max".to_owned()),
        _ => None,
    };
    [
        memory.map(|memory| write("memory.max", memory.to_string())),
        swap.map(|swap| write("memory.swap.max", swap).optional(!swap_was_asked)),
        limits.memory_reservation.filter(|r| *r > 0).map(|r| write("memory.low", r.to_string())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A ceiling for each direction and unit has a file of its own, with a line for each device.
fn blkio_v1(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Blkio, file, value);
    let weight = limits.blkio_weight.filter(|weight| *weight > 0);
    // `blkio.weight` belonged to a scheduler that is gone from recent kernels; its successor has its own file.
    let weight = weight.map(|weight| write("blkio.weight", weight.to_string()).or("blkio.bfq.weight"));
    let throttle = |t: &Throttle| {
        let rates = [
            ("blkio.throttle.read_bps_device", t.read_bps),
            ("blkio.throttle.write_bps_device", t.write_bps),
            ("blkio.throttle.read_iops_device", t.read_iops),
            ("blkio.throttle.write_iops_device", t.write_iops),
        ];
        let device = format!("{}:{}", t.major, t.minor);
        rates.map(|(file, rate)| rate.map(|rate| write(file, format!("{device} {rate}")))).into_iter().flatten()
    };
    weight.into_iter().chain(limits.throttles.iter().flat_map(throttle)).collect()
}

/// One file has the ceilings of a device in one line.
fn io_v2(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Blkio, file, value);
    let weight = limits.blkio_weight.filter(|weight| *weight > 0).map(|weight| {
        // The same scheduler's file where there is one; else the 10 to 1000 stretched over 1 to 10000.
        let stretched = 1 + u32::from(weight.saturating_sub(10)) * 9_999 / 990;
        write("io.weight", stretched.to_string())
    });
    let throttle = |t: &Throttle| {
        let rates = [("rbps", t.read_bps), ("wbps", t.write_bps), ("riops", t.read_iops), ("wiops", t.write_iops)];
        let rates: String = rates.into_iter().filter_map(|(key, rate)| Some(format!(" {key}={}", rate?))).collect();
        write("io.max", format!("{}:{}{rates}", t.major, t.minor))
    };
    weight.into_iter().chain(limits.throttles.iter().map(throttle)).collect()
}

/// First nothing, then the list: a group inherits its parent's devices, which is usually all of them.
fn devices_v1(limits: &Limits) -> Vec<Write> {
    let Some(rules) = &limits.devices else { return Vec::new() };
    let deny_all = Write::new(Controller::Devices, "devices.deny", "a");
    let allow = |rule: &DeviceRule| Write::new(Controller::Devices, "devices.allow", rule);
    std::iter::once(deny_all).chain(rules.iter().map(allow)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
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
            cpuset_cpus: Some("0-1".into()),
            cpuset_mems: Some("0".into()),
            pids_max: Some(100),
            blkio_weight: Some(500),
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
        }
    }

    fn shown(writes: &[Write]) -> String {
        let line = |write: &Write| {
            let fallback = write.fallback.map(|name| format!(" (or {name})")).unwrap_or_default();
            let optional = if write.optional { " (if there)" } else { "" };
            format!("{:?}: {}{fallback} = {}{optional}\n", write.controller, write.file, write.value)
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
        assert_eq!(everything().without_effect(Version::V2), ["oom_kill_disable", "memory_swappiness", "devices"]);
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
        Cpu: cpu.cfs_quota_us = -1
        Memory: memory.limit_in_bytes = 1073741824
        Memory: memory.memsw.limit_in_bytes = -1
        Pids: pids.max = max
        "#);
        insta::assert_snapshot!(shown(&plan_writes(&limits, Version::V2)), @r#"
        Cpu: cpu.max = max 100000
        Memory: memory.max = 1073741824
        Memory: memory.swap.max = max
        Pids: pids.max = max
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
