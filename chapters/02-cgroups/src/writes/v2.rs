//! Version 2: fewer files, other units, and what shares a file is written together.

use super::{Write, bytes, ceiling};
use crate::hierarchy::Controller;
use crate::limits::{DEFAULT_PERIOD, DeviceWeight, HugePages, Limits, Throttle, UNLIMITED};

/// All but cpuset and pids, which are the same in both versions, and devices, which are not files.
pub(super) fn writes(limits: &Limits) -> Vec<Write> {
    [cpu(limits), memory(limits), io(limits), huge_pages(limits), unified(limits)].concat()
}

/// Quota and period share a file, so whichever is not asked for is written with its default.
fn cpu(limits: &Limits) -> Vec<Write> {
    let shares = limits.cpu_shares.filter(|shares| *shares > 0);
    let weight = shares.map(|shares| Write::new(Controller::Cpu, "cpu.weight", weight_from_shares(shares)));
    let quota = limits.cpu_quota.filter(|quota| *quota != 0);
    let period = limits.cpu_period.filter(|period| *period > 0);
    let max = (quota.is_some() || period.is_some()).then(|| {
        let value = format!("{} {}", ceiling(quota.unwrap_or(-1)), period.unwrap_or(DEFAULT_PERIOD));
        Write::new(Controller::Cpu, "cpu.max", value)
    });
    let burst = limits.cpu_burst.map(|burst| Write::new(Controller::Cpu, "cpu.max.burst", burst));
    let idle = limits.cpu_idle.then(|| Write::new(Controller::Cpu, "cpu.idle", 1));
    weight.into_iter().chain(max).chain(burst).chain(idle).collect()
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

// ANCHOR: memory
/// Version 2 counts swap apart from memory, so docker's sum is split.
fn memory(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Memory, file, value);
    let memory = limits.memory.filter(|memory| *memory > 0);
    let swap_was_asked = limits.memory_swap.is_some_and(|swap| swap != 0);
    let swap = match (limits.memory_and_swap(), memory) {
        (Some(UNLIMITED), Some(_)) => Some("max".to_owned()),
        (Some(sum), Some(memory)) => Some(sum.saturating_sub(memory).to_string()),
        (None, _) if limits.memory_swap.is_some() => Some("max".to_owned()),
        _ => None,
    };
    [
        memory.map(|memory| write("memory.max", bytes(memory, "max"))),
        swap.map(|swap| write("memory.swap.max", swap).optional(!swap_was_asked)),
        limits.memory_reservation.filter(|r| *r > 0).map(|r| write("memory.low", r.to_string())),
    ]
    .into_iter()
    .flatten()
    .collect()
}
// ANCHOR_END: memory

/// One file has the ceilings of a device in one line.
fn io(limits: &Limits) -> Vec<Write> {
    let write = |file, value: String| Write::new(Controller::Blkio, file, value);
    let weight = limits.blkio_weight.filter(|weight| *weight > 0);
    let weight = weight.map(|weight| write("io.weight", stretched(weight).to_string()).or("io.bfq.weight", weight));
    let for_device = |device: &DeviceWeight| {
        let DeviceWeight { major, minor, weight } = *device;
        write("io.weight", format!("{major}:{minor} {}", stretched(weight)))
            .or("io.bfq.weight", format!("{major}:{minor} {weight}"))
    };
    let weights = limits.blkio_weight_devices.iter().map(for_device);
    let throttle = |t: &Throttle| {
        let rates = [("rbps", t.read_bps), ("wbps", t.write_bps), ("riops", t.read_iops), ("wiops", t.write_iops)];
        let rates: String = rates.into_iter().filter_map(|(key, rate)| Some(format!(" {key}={}", rate?))).collect();
        write("io.max", format!("{}:{}{rates}", t.major, t.minor))
    };
    weight.into_iter().chain(weights).chain(limits.throttles.iter().map(throttle)).collect()
}

/// Docker's 10 to 1000 on the scale of `io.weight`, 1 to 10000: a straight line, as runtimes draw it. The fallback's
/// scale is docker's own.
fn stretched(weight: u16) -> u32 {
    1 + u32::from(weight.saturating_sub(10)) * 9_999 / 990
}

fn huge_pages(limits: &Limits) -> Vec<Write> {
    let write = |pages: &HugePages| {
        Write::new(Controller::Hugetlb, format!("hugetlb.{}.max", pages.size), bytes(pages.bytes, "max"))
    };
    limits.huge_pages.iter().map(write).collect()
}

/// Last, so that what is said in the kernel's own words wins over what was translated. All files are in one directory, so
/// any controller leads there.
fn unified(limits: &Limits) -> Vec<Write> {
    limits.unified.iter().map(|(file, value)| Write::new(Controller::Cpu, file.clone(), value)).collect()
}
