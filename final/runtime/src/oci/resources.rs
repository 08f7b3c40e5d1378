//! `linux.resources` of a `config.json` as the limits of chapter 2.

use cgroups::{DeviceKind, DeviceRule, DeviceWeight, HugePages, Limits, Throttle, UNLIMITED};
use namespaces::{Failure, Result};

use super::config::{BlockIo, DeviceAccess, HugepageLimit, Resources, WeightDevice};

/// The limits. What this engine cannot limit is refused: a limit that is silently not there is worse than none.
pub(super) fn limits(resources: &Resources) -> Result<Limits> {
    refuse_unknown(resources)?;
    let (memory, cpu) = (&resources.memory, &resources.cpu);
    let bytes = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0);
    Ok(Limits {
        memory: if memory.limit == Some(-1) { Some(UNLIMITED) } else { bytes(memory.limit) },
        memory_reservation: bytes(memory.reservation),
        memory_swap: memory.swap.filter(|swap| *swap != 0),
        memory_swappiness: memory.swappiness,
        oom_kill_disable: memory.disable_oom_killer,
        cpu_shares: cpu.shares.filter(|shares| *shares != 0),
        cpu_quota: cpu.quota.filter(|quota| *quota != 0),
        cpu_period: cpu.period.filter(|period| *period != 0),
        cpu_burst: cpu.burst,
        cpu_rt_runtime: cpu.realtime_runtime.filter(|runtime| *runtime != 0),
        cpu_rt_period: cpu.realtime_period.filter(|period| *period != 0),
        cpu_idle: cpu.idle == Some(1),
        cpuset_cpus: cpu.cpus.clone().filter(|cpus| !cpus.is_empty()),
        cpuset_mems: cpu.mems.clone().filter(|mems| !mems.is_empty()),
        pids_max: resources.pids.as_ref().map(|pids| pids.limit).filter(|limit| *limit != 0),
        blkio_weight: resources.block_io.weight.filter(|weight| *weight != 0),
        blkio_weight_devices: weights(&resources.block_io),
        throttles: throttles(&resources.block_io),
        devices: devices(&resources.devices)?,
        huge_pages: huge_pages(&resources.hugepage_limits),
        unified: resources.unified.clone(),
    })
}

fn refuse_unknown(resources: &Resources) -> Result<()> {
    let network = resources.network.as_ref();
    let unknown = [
        (!resources.rdma.is_empty(), "rdma"),
        (network.is_some_and(|net| net.class_id.is_some() || !net.priorities.is_empty()), "network"),
    ];
    match unknown.into_iter().find(|(used, _)| *used) {
        Some((_, name)) => Err(Failure::new("limit the container by", "this runtime has no such limit")
            .on(format!("linux.resources.{name}"))
            .hint("Remove it from config.json.")),
        None => Ok(()),
    }
}

/// A leaf weight alone says nothing here: it weighs a group's own processes against the groups inside it.
fn weights(block_io: &BlockIo) -> Vec<DeviceWeight> {
    let weight =
        |device: &WeightDevice| Some(DeviceWeight { major: device.major, minor: device.minor, weight: device.weight? });
    block_io.weight_device.iter().filter_map(weight).collect()
}

fn huge_pages(limits: &[HugepageLimit]) -> Vec<HugePages> {
    limits.iter().map(|limit| HugePages { size: limit.page_size.clone(), bytes: limit.limit }).collect()
}

fn throttles(block_io: &BlockIo) -> Vec<Throttle> {
    let none = |major, minor| Throttle { major, minor, ..Throttle::default() };
    let read = block_io.throttle_read_bps_device.iter();
    let read = read.map(|device| Throttle { read_bps: Some(device.rate), ..none(device.major, device.minor) });
    let write = block_io.throttle_write_bps_device.iter();
    let write = write.map(|device| Throttle { write_bps: Some(device.rate), ..none(device.major, device.minor) });
    let read_times = block_io.throttle_read_iops_device.iter();
    let read_times =
        read_times.map(|device| Throttle { read_iops: Some(device.rate), ..none(device.major, device.minor) });
    let write_times = block_io.throttle_write_iops_device.iter();
    let write_times =
        write_times.map(|device| Throttle { write_iops: Some(device.rate), ..none(device.major, device.minor) });
    read.chain(write).chain(read_times).chain(write_times).collect()
}

/// The devices that may be used: the usual ones, and what the rules allow in their order. `None` is all.
fn devices(rules: &[DeviceAccess]) -> Result<Option<Vec<DeviceRule>>> {
    let mut allowed = Some(Vec::new());
    for rule in rules {
        let everything = is_everything(rule);
        match (&mut allowed, rule.allow, everything) {
            (_, true, true) => allowed = None,
            (_, false, true) => allowed = Some(Vec::new()),
            (Some(some), true, false) => some.extend(device_rules(rule)?),
            (None, true, false) => {}
            (Some(some), false, false) => {
                let denied = device_rules(rule)?;
                some.retain(|one| !denied.contains(one));
            }
            (None, false, false) => {
                let cause = "one device cannot be taken from all of them";
                return Err(Failure::new("apply the device rule", cause)
                    .on(device_rules(rule)?.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
                    .hint("Deny all devices first, then allow those that are wanted."));
            }
        }
    }
    Ok(allowed.map(|allowed| [DeviceRule::defaults(), allowed].concat()))
}

fn is_everything(rule: &DeviceAccess) -> bool {
    let any_kind = matches!(rule.kind.as_deref(), None | Some("" | "a"));
    any_kind && number(rule.major).is_none() && number(rule.minor).is_none()
}

/// No number and -1 both mean any.
fn number(number: Option<i64>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

fn device_rules(rule: &DeviceAccess) -> Result<Vec<DeviceRule>> {
    let kinds = match rule.kind.as_deref() {
        Some("c" | "u") => vec![DeviceKind::Character],
        Some("b") => vec![DeviceKind::Block],
        None | Some("" | "a") => vec![DeviceKind::Character, DeviceKind::Block],
        Some(other) => return Err(Failure::new("apply the device rule", "no such kind of device").on(other)),
    };
    let access = rule.access.as_deref().filter(|access| !access.is_empty()).unwrap_or("rwm");
    let rule_of = |kind| DeviceRule {
        kind,
        major: number(rule.major),
        minor: number(rule.minor),
        read: access.contains('r'),
        write: access.contains('w'),
        mknod: access.contains('m'),
    };
    Ok(kinds.into_iter().map(rule_of).collect())
}
