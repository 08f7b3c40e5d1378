//! Version 1: docker's words are this version's words, so nearly every field has its file.

use super::{Write, bytes};
use crate::devices::DeviceRule;
use crate::hierarchy::Controller;
use crate::limits::{DeviceWeight, HugePages, Limits, Throttle};

/// All but cpuset and pids, which are the same in both versions.
pub(super) fn writes(limits: &Limits) -> Vec<Write> {
    [cpu(limits), memory(limits), blkio(limits), huge_pages(limits), devices(limits)].concat()
}

/// The period comes first, because the kernel checks a quota against the period that is in force; the burst last, because
/// it is checked against the quota. The same order holds for realtime. An idle group has no shares: the kernel refuses to set them.
fn cpu(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Cpu, file, value);
    let shares = limits.cpu_shares.filter(|shares| *shares > 0);
    let period = limits.cpu_period.filter(|period| *period > 0);
    let quota = limits.cpu_quota.filter(|quota| *quota != 0);
    [
        shares.map(|shares| write("cpu.shares", shares.to_string())),
        period.map(|period| write("cpu.cfs_period_us", period.to_string())),
        quota.map(|quota| write("cpu.cfs_quota_us", quota.to_string())),
        limits.cpu_burst.map(|burst| write("cpu.cfs_burst_us", burst.to_string())),
        limits.cpu_rt_period.map(|period| write("cpu.rt_period_us", period.to_string())),
        limits.cpu_rt_runtime.map(|runtime| write("cpu.rt_runtime_us", runtime.to_string())),
        limits.cpu_idle.then(|| write("cpu.idle", "1".to_owned())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

// ANCHOR: memory
/// Swap is limited whenever memory is, or a program would go on growing in swap, slowly. A kernel that does not account
/// swap (`swapaccount=0`) has no such file; that is a failure only for those who asked for a number.
fn memory(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Memory, file, value);
    let memory = limits.memory.filter(|memory| *memory > 0);
    let swap = match limits.memory_and_swap() {
        Some(sum) => (memory.is_some() || limits.memory_swap.is_some()).then(|| bytes(sum, "-1")),
        None => limits.memory_swap.map(|_| "-1".to_owned()),
    };
    let swap_was_asked = limits.memory_swap.is_some_and(|swap| swap != 0);
    [
        memory.map(|memory| write("memory.limit_in_bytes", bytes(memory, "-1"))),
        swap.map(|swap| write("memory.memsw.limit_in_bytes", swap).optional(!swap_was_asked)),
        limits.memory_reservation.filter(|r| *r > 0).map(|r| write("memory.soft_limit_in_bytes", r.to_string())),
        limits.memory_swappiness.map(|swappiness| write("memory.swappiness", swappiness.to_string())),
        limits.oom_kill_disable.then(|| write("memory.oom_control", "1".to_owned())),
    ]
    .into_iter()
    .flatten()
    .collect()
}
// ANCHOR_END: memory

/// A ceiling for each direction and unit has a file of its own, with a line for each device.
fn blkio(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Blkio, file, value);
    let weight = limits.blkio_weight.filter(|weight| *weight > 0);
    // `blkio.weight` belonged to a scheduler that is gone from recent kernels; its successor has its own file.
    let weight = weight.map(|weight| write("blkio.weight", weight.to_string()).or("blkio.bfq.weight", weight));
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
    let for_device = |device: &DeviceWeight| {
        let value = format!("{}:{} {}", device.major, device.minor, device.weight);
        write("blkio.weight_device", value.clone()).or("blkio.bfq.weight_device", value)
    };
    let weights = limits.blkio_weight_devices.iter().map(for_device);
    weight.into_iter().chain(weights).chain(limits.throttles.iter().flat_map(throttle)).collect()
}

fn huge_pages(limits: &Limits) -> Vec<Write> {
    let write = |pages: &HugePages| {
        let file = format!("hugetlb.{}.limit_in_bytes", pages.size);
        Write::new(Controller::Hugetlb, file, bytes(pages.bytes, "-1"))
    };
    limits.huge_pages.iter().map(write).collect()
}

/// First nothing, then the list: a group inherits its parent's devices, which is usually all of them.
fn devices(limits: &Limits) -> Vec<Write> {
    let Some(rules) = &limits.devices else { return Vec::new() };
    let deny_all = Write::new(Controller::Devices, "devices.deny", "a");
    let allow = |rule: &DeviceRule| Write::new(Controller::Devices, "devices.allow", rule);
    std::iter::once(deny_all).chain(rules.iter().map(allow)).collect()
}
