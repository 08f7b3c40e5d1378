//! `update`: other limits for containers that exist.

use bollard_stubs::models::{ContainerUpdateBody, RestartPolicy};
use clap::Args;
use serde::Deserialize;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{Execute, Exit, each};
use crate::create::restart_policy;
use crate::error::{Error, Result};
use crate::grammar::size;
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Weight for block devices, 10 to 1000
    #[arg(long, value_name = "WEIGHT")]
    blkio_weight: Option<u16>,
    /// Number of processors, such as 1.5
    #[arg(long, value_name = "NUMBER", value_parser = size::cpus)]
    cpus: Option<i64>,
    /// Weight against other containers
    #[arg(short, long, value_name = "SHARES")]
    cpu_shares: Option<i64>,
    /// Length of the scheduler's period in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_period: Option<i64>,
    /// Processor time per period in microseconds
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_quota: Option<i64>,
    /// Length of the realtime scheduler's period (cgroup v1)
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_rt_period: Option<i64>,
    /// Realtime processor time per period (cgroup v1)
    #[arg(long, value_name = "MICROSECONDS")]
    cpu_rt_runtime: Option<i64>,
    /// Processors it may run on
    #[arg(long, value_name = "LIST")]
    cpuset_cpus: Option<String>,
    /// Memory nodes it may use
    #[arg(long, value_name = "LIST")]
    cpuset_mems: Option<String>,
    /// Memory
    #[arg(short, long, value_name = "BYTES", value_parser = size::parse)]
    memory: Option<i64>,
    /// Memory that is left to it when the machine runs short
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    memory_reservation: Option<i64>,
    /// Memory and swap together; -1 for any amount of swap
    #[arg(long, value_name = "BYTES", value_parser = size::parse_or_unlimited)]
    memory_swap: Option<i64>,
    /// Number of processes and threads; -1 for any
    #[arg(long, value_name = "NUMBER")]
    pids_limit: Option<i64>,
    /// When to start it again: no, always, unless-stopped, on-failure[:TIMES]
    #[arg(long, value_name = "POLICY", value_parser = restart_policy)]
    restart: Option<RestartPolicy>,
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Updated {
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

impl Execute for Update {
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Change the limits of containers";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let body = ContainerUpdateBody {
            blkio_weight: self.blkio_weight,
            nano_cpus: self.cpus,
            cpu_shares: self.cpu_shares,
            cpu_period: self.cpu_period,
            cpu_quota: self.cpu_quota,
            cpu_realtime_period: self.cpu_rt_period,
            cpu_realtime_runtime: self.cpu_rt_runtime,
            cpuset_cpus: self.cpuset_cpus,
            cpuset_mems: self.cpuset_mems,
            memory: self.memory,
            memory_reservation: self.memory_reservation,
            memory_swap: self.memory_swap,
            pids_limit: self.pids_limit,
            restart_policy: self.restart,
            ..ContainerUpdateBody::default()
        };
        if body == ContainerUpdateBody::default() {
            return Err(Error::new("you must provide one or more flags when using this command"));
        }
        let update = async |name: &str| {
            let updated: Updated = client.json(Request::post(format!("{}/update", path(name))).json(&body)?).await?;
            for warning in updated.warnings.iter().flatten() {
                output::notice(warning);
            }
            Ok(())
        };
        each(&self.containers, update).await
    }
}
