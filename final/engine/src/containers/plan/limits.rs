//! What a container may use of processors, memory and processes.

use bollard_stubs::models::HostConfig;
use cgroups::Limits;

use super::devices;
use crate::containers::request::resources;
use crate::error::{Error, Result};

/// The limits of `HostConfig`, without those that have devices in them. 0 is the API's word for "not limited".
pub(crate) fn of(host: &HostConfig) -> Result<Limits> {
    let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let limits = Limits {
        memory: size("memory limit", host.memory)?,
        memory_reservation: size("memory reservation", host.memory_reservation)?,
        memory_swap: host.memory_swap.filter(|swap| *swap != 0),
        memory_swappiness: host.memory_swappiness.and_then(|value| u64::try_from(value).ok()),
        oom_kill_disable: host.oom_kill_disable == Some(true),
        cpu_shares: size("CPU shares", host.cpu_shares)?,
        cpu_quota: host.cpu_quota.filter(|quota| *quota != 0),
        cpu_period: size("CPU period", host.cpu_period)?,
        cpuset_cpus: text(&host.cpuset_cpus),
        cpuset_mems: text(&host.cpuset_mems),
        pids_max: host.pids_limit.filter(|limit| *limit != 0),
        blkio_weight: host.blkio_weight.filter(|weight| *weight != 0),
        ..Limits::default()
    };
    Ok(match size("number of CPUs", host.nano_cpus)? {
        Some(nano) => limits.nano_cpus(nano),
        None => limits,
    })
}

/// [`of`] with the limits of block devices, all checked: in docker's words where it has some, else in the chapter's.
pub(crate) fn checked(host: &HostConfig) -> Result<Limits> {
    resources::check(host)?;
    let mut limits = of(host)?;
    limits.throttles = devices::throttles(host)?;
    limits.blkio_weight_devices = devices::weights(host)?;
    limits.validate().map_err(Error::refusal)?;
    Ok(limits)
}

fn size(what: &str, value: Option<i64>) -> Result<Option<u64>> {
    let value = value.filter(|value| *value != 0);
    let refused = |value| Error::invalid(format!("invalid {what}: {value}")).hint("It cannot be negative.");
    value.map(|value| u64::try_from(value).map_err(|_| refused(value))).transpose()
}
