//! Update: other limits for a container, running or not; another restart policy; other published ports (`publish.rs`).

use bollard_stubs::models::{ContainerUpdateBody, ContainerUpdateResponse, HostConfig};

use serde::Deserialize;

use super::plan::limits;
use super::publish::Ports;
use super::{Containers, whole};
use crate::error::{Error, Result};

/// What is to change: docker's fields, and ours beside them.
#[derive(Debug, Default, Deserialize)]
pub struct Update {
    /// Limits and restart policy.
    #[serde(flatten)]
    pub body: ContainerUpdateBody,
    /// Published ports.
    #[serde(flatten)]
    pub ports: Ports,
}

impl Containers {
    /// Changes limits, restart policy and published ports. What the request leaves out stays.
    ///
    /// # Errors
    /// 400 for limits that cannot be, and what `publish.rs` refuses, in which case nothing is changed.
    pub async fn update(&self, name: &str, Update { body, ports }: Update) -> Result<ContainerUpdateResponse> {
        let (this, container) = (self.clone(), self.find(name)?);
        whole(async move {
            let _turn = container.turn.lock().await;
            let asked = container.asked();
            let host = changed(asked.host.clone(), body);
            if asked.auto_remove() && host.restart_policy != asked.host.restart_policy {
                return Err(Error::invalid(
                    "Restart policy cannot be updated because AutoRemove is enabled for the container",
                ));
            }
            outgrown(&asked.host, &host)?;
            either(&asked.host, &host)?;
            let limits = limits::checked(&host)?;
            if !ports.is_empty() {
                this.publish(&container, &ports).await?;
            }
            if container.status().has_process() {
                this.with_cgroup(&container, move |cgroup| cgroup.update(&limits)).await?;
            }
            container.ask(|asked| {
                let port_bindings = asked.host.port_bindings.take();
                asked.host = HostConfig { port_bindings, ..host };
            })?;
            this.tell(&container, "update", &[]);
            Ok(ContainerUpdateResponse { warnings: Some(Vec::new()) })
        })
        .await
    }
}

/// A memory limit above the one of memory and swap together, which the request leaves as it was: docker tells what to do.
fn outgrown(before: &HostConfig, after: &HostConfig) -> Result<()> {
    let (memory, swap) = (after.memory.unwrap_or(0), after.memory_swap.unwrap_or(0));
    if swap > 0 && memory > swap && before.memory_swap == after.memory_swap {
        return Err(Error::invalid(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        ));
    }
    Ok(())
}

/// Processors in two ways at once, of which the request says the second: docker tells which is there already.
fn either(before: &HostConfig, after: &HostConfig) -> Result<()> {
    let set = |value: Option<i64>| value.unwrap_or(0) != 0;
    if !set(after.nano_cpus) {
        return Ok(());
    }
    let others =
        [(after.cpu_quota, before.cpu_quota, "CPU Quota"), (after.cpu_period, before.cpu_period, "CPU Period")];
    let Some((_, other, name)) = others.into_iter().find(|(after, ..)| set(*after)) else { return Ok(()) };
    let (new, old) = if set(other) { ("NanoCPUs", name) } else { (name, "NanoCPUs") };
    Err(Error::invalid(format!("Conflicting options: {new} cannot be updated as {old} has already been set")))
}

/// `host` with what the request says. 0 and empty mean that the request says nothing.
fn changed(mut host: HostConfig, body: ContainerUpdateBody) -> HostConfig {
    fn set<T: PartialEq + Default>(field: &mut Option<T>, value: Option<T>) {
        if let Some(value) = value.filter(|value| *value != T::default()) {
            *field = Some(value);
        }
    }
    set(&mut host.cpu_shares, body.cpu_shares);
    set(&mut host.memory, body.memory);
    set(&mut host.memory_reservation, body.memory_reservation);
    set(&mut host.memory_swap, body.memory_swap);
    set(&mut host.cpu_period, body.cpu_period);
    set(&mut host.cpu_quota, body.cpu_quota);
    set(&mut host.cpuset_cpus, body.cpuset_cpus);
    set(&mut host.cpuset_mems, body.cpuset_mems);
    set(&mut host.nano_cpus, body.nano_cpus);
    set(&mut host.pids_limit, body.pids_limit);
    set(&mut host.blkio_weight, body.blkio_weight);
    set(&mut host.blkio_weight_device, body.blkio_weight_device);
    set(&mut host.blkio_device_read_bps, body.blkio_device_read_bps);
    set(&mut host.blkio_device_write_bps, body.blkio_device_write_bps);
    set(&mut host.blkio_device_read_iops, body.blkio_device_read_iops);
    set(&mut host.blkio_device_write_iops, body.blkio_device_write_iops);
    let named = body
        .restart_policy
        .filter(|policy| policy.name.is_some_and(|name| name != bollard_stubs::models::RestartPolicyNameEnum::EMPTY));
    set(&mut host.restart_policy, named);
    host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_limited_in_one_way() {
        let host = |nano_cpus, cpu_quota| HostConfig { nano_cpus, cpu_quota, ..HostConfig::default() };
        let refused = |before: &HostConfig| either(before, &host(Some(5), Some(5))).unwrap_err().message;
        let said = "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set";
        assert_eq!(refused(&host(Some(5), None)), said);
        let said = "Conflicting options: NanoCPUs cannot be updated as CPU Quota has already been set";
        assert_eq!(refused(&host(None, Some(5))), said);
        assert_eq!(either(&host(None, Some(0)), &host(Some(5), Some(0))), Ok(()));
    }

    #[test]
    fn what_is_not_said_stays() {
        let host = HostConfig { memory: Some(64), cpu_shares: Some(2), ..HostConfig::default() };
        let body =
            ContainerUpdateBody { memory: Some(0), cpu_shares: Some(3), pids_limit: Some(9), ..Default::default() };
        let host = changed(host, body);
        assert_eq!((host.memory, host.cpu_shares, host.pids_limit), (Some(64), Some(3), Some(9)));
    }
}
