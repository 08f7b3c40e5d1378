//! `update`: other limits for containers that exist.

use bollard_stubs::models::{ContainerUpdateBody, RestartPolicy};
use clap::Args;
use serde::Deserialize;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{Execute, Exit, each};
use crate::create::{Resources, restart_policy};
use crate::error::{Error, Result};
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    resources: Resources,
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
            blkio_weight: self.resources.blkio_weight,
            nano_cpus: self.resources.cpus,
            cpu_shares: self.resources.cpu_shares,
            cpu_period: self.resources.cpu_period,
            cpu_quota: self.resources.cpu_quota,
            cpu_realtime_period: self.resources.cpu_rt_period,
            cpu_realtime_runtime: self.resources.cpu_rt_runtime,
            cpuset_cpus: self.resources.cpuset_cpus,
            cpuset_mems: self.resources.cpuset_mems,
            memory: self.resources.memory,
            memory_reservation: self.resources.memory_reservation,
            memory_swap: self.resources.memory_swap,
            pids_limit: self.resources.pids_limit,
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
