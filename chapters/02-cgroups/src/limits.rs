//! What a container may use, in the words of `docker run`.
//!
//! The kinds of limit differ in what happens at the limit. Memory: the kernel reclaims, and if that is not enough
//! kills. Processor time, with a quota: the processes wait for the next period, even if the machine is idle. With
//! shares: nothing happens until the machine is busy, then the weights decide. Processes: `fork` fails with EAGAIN.
//! Devices: `open` fails with EPERM. A reservation is no limit at all but a promise to be spared.

use std::collections::BTreeMap;

use namespaces::{Failure, Result};
use serde::{Deserialize, Serialize};

use crate::cpuset::parse_cpuset;
use crate::devices::DeviceRule;
use crate::size::format_size;

/// Docker's smallest memory limit. Below it a program is killed before its `main`, and the message would not say why.
const LEAST_MEMORY: u64 = 6 << 20;

/// The period of processor time accounting when none is asked for, in µs (the kernel's default).
pub(crate) const DEFAULT_PERIOD: u64 = 100_000;

/// As a number of bytes: no limit. What an update says to take a limit away again.
pub const UNLIMITED: u64 = u64::MAX;

/// What a container may use. `None`, and an empty list, leave the kernel's default, which is no limit.
///
/// These are the fields and the meanings of docker's `HostConfig`, so that both versions of cgroups are told the same
/// thing; `plan_writes` translates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Memory in bytes, page cache included; [`UNLIMITED`] takes a limit away. The kernel first reclaims, then kills.
    pub memory: Option<u64>,
    /// Bytes that are left alone when the whole machine runs short; a soft limit.
    pub memory_reservation: Option<u64>,
    /// Memory *and* swap in bytes: equal to `memory` is no swap, -1 unlimited swap. Unset or 0 is twice `memory`.
    pub memory_swap: Option<i64>,
    /// How readily anonymous memory is swapped out, 0 to 100. Version 1 only.
    pub memory_swappiness: Option<u64>,
    /// At the limit processes wait instead of being killed. Version 1 only.
    pub oom_kill_disable: bool,
    /// Weight against other groups when processors are busy, 2 to 262144; the default group has 1024.
    pub cpu_shares: Option<u64>,
    /// Processor time in µs per period; -1 is unlimited. Two periods' worth is two processors.
    pub cpu_quota: Option<i64>,
    /// Length of the period in µs, 1000 to 1000000. Default 100000.
    pub cpu_period: Option<u64>,
    /// Processor time in µs that may be saved in quiet periods and spent beyond the quota later; at most the quota.
    pub cpu_burst: Option<u64>,
    /// Processor time in µs per period for the group's realtime processes (`SCHED_FIFO`, `SCHED_RR`). Version 1 only, and
    /// there no more than every group above it has. -1 is unlimited.
    pub cpu_rt_runtime: Option<i64>,
    /// Length of that period in µs. Version 1 only.
    pub cpu_rt_period: Option<u64>,
    /// Runs only when nobody else wants the processor (`SCHED_IDLE` for a group).
    pub cpu_idle: bool,
    /// Processors it may run on: `0-2,4`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes it may allocate from: `0`.
    pub cpuset_mems: Option<String>,
    /// Processes and threads; 0 and -1 are unlimited.
    pub pids_max: Option<i64>,
    /// Weight of its block device requests against other groups', 10 to 1000.
    pub blkio_weight: Option<u16>,
    /// The same for single devices.
    pub blkio_weight_devices: Vec<DeviceWeight>,
    /// Ceilings per block device.
    pub throttles: Vec<Throttle>,
    /// Devices it may use, everything else denied. `None` allows all (a privileged container).
    pub devices: Option<Vec<DeviceRule>>,
    /// Huge pages, by their size.
    pub huge_pages: Vec<HugePages>,
    /// Version 2's own files and what to write into them, for what has no field here: `memory.high` = `32M`.
    pub unified: BTreeMap<String, String>,
}

/// A block device's weight against the same device's other users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceWeight {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// 10 to 1000.
    pub weight: u16,
}

/// How much memory may be in huge pages of one size. They cannot be reclaimed and are not in [`Limits::memory`]; at the
/// limit a program that touches one more gets SIGBUS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HugePages {
    /// As the kernel's files have it in their names: `2MB`, `1GB`.
    pub size: String,
    /// In bytes; [`UNLIMITED`] is none.
    pub bytes: u64,
}

/// Ceilings for one block device; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttle {
    /// Major number.
    pub major: u32,
    /// Minor number.
    pub minor: u32,
    /// Bytes read per second.
    pub read_bps: Option<u64>,
    /// Bytes written per second.
    pub write_bps: Option<u64>,
    /// Read requests per second.
    pub read_iops: Option<u64>,
    /// Write requests per second.
    pub write_iops: Option<u64>,
}

impl Limits {
    /// Sets quota and period for docker's `--cpus`: billionths of a processor (`NanoCpus`), 500000000 is half of one.
    #[must_use]
    pub fn nano_cpus(mut self, nano: u64) -> Self {
        let quota = u128::from(nano) * u128::from(DEFAULT_PERIOD) / 1_000_000_000;
        self.cpu_quota = Some(i64::try_from(quota).unwrap_or(i64::MAX));
        self.cpu_period = Some(DEFAULT_PERIOD);
        self
    }

    /// Sets quota and period for a number of processors as people write it, such as 0.5. Not a number or negative is
    /// none, which [`Limits::validate`] refuses.
    #[must_use]
    pub fn cpus(self, cpus: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from a float saturates")]
        let nano = (cpus * 1e9).round() as u64;
        let limits = self.nano_cpus(nano);
        // A quota of 0 would mean that none was asked for.
        Self { cpu_quota: limits.cpu_quota.map(|quota| quota.max(1)), ..limits }
    }

    /// Memory and swap together as docker means it; `None` is unlimited.
    pub(crate) fn memory_and_swap(&self) -> Option<u64> {
        // SOLUTION cg-swap
        match self.memory_swap {
            None | Some(0) => self.memory.map(|memory| memory.saturating_mul(2)),
            Some(swap) => u64::try_from(swap).ok(),
        }
        // END SOLUTION
    }

    /// Checks the values against each other and against docker's bounds, before anything is made of them.
    ///
    /// What the machine has (how many processors, whether swap is accounted) is not checked here but by the kernel.
    pub fn validate(&self) -> Result<()> {
        self.validate_memory()?;
        self.validate_cpu()?;
        self.validate_names()?;
        let within = |name: &str, value: Option<u64>, low: u64, high: u64| match value {
            Some(value) if value != 0 && !(low..=high).contains(&value) => {
                Err(refused(name, value, &format!("the value must be from {low} to {high}")))
            }
            _ => Ok(()),
        };
        within("block I/O weight", self.blkio_weight.map(u64::from), 10, 1000)?;
        for device in &self.blkio_weight_devices {
            within("block I/O weight of a device", Some(device.weight.into()), 10, 1000)?;
        }
        within("memory swappiness", self.memory_swappiness, 0, 100)
    }

    /// The least there can be, and the order: reservation, memory, memory and swap.
    fn validate_memory(&self) -> Result<()> {
        let memory = self.memory.filter(|memory| ![0, UNLIMITED].contains(memory));
        if let Some(memory) = memory.filter(|memory| *memory < LEAST_MEMORY) {
            let least = format!("the minimum is {}", format_size(LEAST_MEMORY));
            return Err(refused("memory limit", format_size(memory), &least));
        }
        match (memory, self.memory_swap) {
            (None, Some(swap)) if swap > 0 => Err(refused("memory and swap limit", swap, "there is no memory limit")
                .hint("Set the memory limit too: this value is memory and swap together.")),
            (Some(memory), Some(swap)) if swap > 0 && u64::try_from(swap).is_ok_and(|swap| swap < memory) => {
                Err(refused("memory and swap limit", swap, "it is below the memory limit").hint(
                    "It is memory and swap together; equal to the memory limit it means no swap, -1 unlimited swap.",
                ))
            }
            (_, Some(swap)) if swap < -1 => {
                Err(refused("memory and swap limit", swap, "only -1 is negative: unlimited"))
            }
            _ => match (memory, self.memory_reservation) {
                (Some(memory), Some(reservation)) if reservation > memory => {
                    let (reservation, memory) = (format_size(reservation), format_size(memory));
                    Err(refused(
                        "memory reservation",
                        reservation,
                        &format!("it is above the memory limit of {memory}"),
                    ))
                }
                _ => Ok(()),
            },
        }
    }

    /// The kernel's own bounds for quota and period, and lists that can be read.
    fn validate_cpu(&self) -> Result<()> {
        if let Some(period) = self.cpu_period.filter(|p| *p != 0 && !(1_000..=1_000_000).contains(p)) {
            return Err(refused("CPU period", period, "it must be from 1000 to 1000000 µs"));
        }
        if let Some(quota) = self.cpu_quota.filter(|q| (1..1_000).contains(q) || *q < -1) {
            return Err(refused("CPU quota", quota, "it must be at least 1000 µs, or -1 for unlimited"));
        }
        let quota = self.cpu_quota.and_then(|quota| u64::try_from(quota).ok()).filter(|quota| *quota > 0);
        if let (Some(burst), Some(quota)) = (self.cpu_burst, quota)
            && burst > quota
        {
            return Err(refused("CPU burst", burst, &format!("it is more than the quota of {quota} µs")));
        }
        for set in [&self.cpuset_cpus, &self.cpuset_mems].into_iter().flatten() {
            parse_cpuset(set)?;
        }
        Ok(())
    }
}

impl Limits {
    /// Names that become names of files: a `/` in one would lead to a file elsewhere.
    fn validate_names(&self) -> Result<()> {
        for pages in &self.huge_pages {
            let number = pages.size.strip_suffix('B').and_then(|text| text.strip_suffix(['K', 'M', 'G']));
            if number.is_none_or(|number| number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit())) {
                return Err(refused("huge page size", &pages.size, "it is not a size such as 2MB or 1GB"));
            }
        }
        for file in self.unified.keys() {
            let (controller, rest) = file.split_once('.').unwrap_or_default();
            let plain =
                |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            if !plain(controller) || !plain(rest) || controller == "cgroup" {
                return Err(refused(
                    "unified limit",
                    file,
                    "it is not the name of a controller's file, such as memory.high",
                ));
            }
        }
        Ok(())
    }
}

/// `cannot accept the memory limit 4MiB: the minimum is 6MiB`.
fn refused(what: &str, value: impl std::fmt::Display, cause: &str) -> Failure {
    Failure::new(format!("accept the {what}"), cause).on(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_processor() {
        let limits = Limits::default().nano_cpus(500_000_000);
        assert_eq!((limits.cpu_quota, limits.cpu_period), (Some(50_000), Some(100_000)));
        assert_eq!(Limits::default().cpus(0.5), limits);
        for nonsense in [0.0, -1.0, 0.001, f64::NAN] {
            assert!(Limits::default().cpus(nonsense).validate().is_err(), "{nonsense}");
        }
        Limits::default().cpus(f64::INFINITY).validate().unwrap();
    }

    #[test]
    fn swap_is_twice_memory_unless_asked() {
        let limits = |memory_swap| Limits { memory: Some(100), memory_swap, ..Limits::default() };
        assert_eq!(limits(None).memory_and_swap(), Some(200));
        assert_eq!(limits(Some(0)).memory_and_swap(), Some(200));
        assert_eq!(limits(Some(150)).memory_and_swap(), Some(150));
        assert_eq!(limits(Some(-1)).memory_and_swap(), None);
        assert_eq!(Limits::default().memory_and_swap(), None);
    }

    #[test]
    fn contradictions_are_refused() {
        let none = Limits::default;
        let cases = [
            Limits { memory: Some(4 << 20), ..none() },
            Limits { memory_swap: Some(1 << 30), ..none() },
            Limits { memory: Some(64 << 20), memory_swap: Some(32 << 20), ..none() },
            Limits { memory: Some(64 << 20), memory_swap: Some(-2), ..none() },
            Limits { memory: Some(64 << 20), memory_reservation: Some(65 << 20), ..none() },
            Limits { cpu_period: Some(999), ..none() },
            Limits { cpu_quota: Some(999), ..none() },
            Limits { cpuset_cpus: Some("1-4294967295".into()), ..none() },
            Limits { cpuset_mems: Some("x".into()), ..none() },
            Limits { blkio_weight: Some(9), ..none() },
            Limits { memory_swappiness: Some(101), ..none() },
            Limits { cpu_quota: Some(50_000), cpu_burst: Some(50_001), ..none() },
            Limits { blkio_weight_devices: vec![DeviceWeight { major: 8, minor: 0, weight: 9 }], ..none() },
            Limits { huge_pages: vec![HugePages { size: "../x".into(), bytes: 0 }], ..none() },
            Limits { unified: [("../memory.max".into(), "1".into())].into(), ..none() },
            Limits { unified: [("cgroup.kill".into(), "1".into())].into(), ..none() },
        ];
        let messages: Vec<String> = cases.iter().map(|limits| limits.validate().unwrap_err().to_string()).collect();
        insta::assert_snapshot!(messages.join("\n"));
        none().validate().unwrap();
        Limits { memory: Some(64 << 20), memory_swap: Some(-1), cpu_quota: Some(-1), ..none() }.validate().unwrap();
    }
}
