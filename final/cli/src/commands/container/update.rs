//! `update`: other limits and published ports for containers that exist.

use bollard_stubs::models::{ContainerUpdateBody, RestartPolicy};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::path;
use crate::client::{Client, Request};
use crate::commands::{Execute, Exit, each};
use crate::create::{Resources, restart_policy};
use crate::error::{Error, Result};
use crate::grammar::port;
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    resources: Resources,
    /// When to start it again: no, always, unless-stopped, on-failure[:TIMES]
    #[arg(long, value_name = "POLICY", value_parser = restart_policy)]
    restart: Option<RestartPolicy>,
    /// Publish a port as well, [[ADDRESS:]HOST:]PORT[/udp]
    #[arg(long = "publish-add", value_name = "PORT", value_parser = published)]
    publish_add: Vec<String>,
    /// Publish a port no more: HOST:PORT, or PORT for all that lead there
    #[arg(long = "publish-rm", value_name = "PORT", value_parser = published)]
    publish_rm: Vec<String>,
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Docker's body, and the fields that only `skiffd` understands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    #[serde(flatten)]
    limits: ContainerUpdateBody,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    publish_add: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    publish_rm: &'a [String],
}

/// A port as `-p` has it, checked here so that a slip is told before anything is sent.
fn published(text: &str) -> Result<String, String> {
    port::publish(text).map(|_| text.to_owned())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Updated {
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

impl Execute for Update {
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Change the limits and published ports of containers";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let limits = ContainerUpdateBody {
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
        let (publish_add, publish_rm) = (self.publish_add.as_slice(), self.publish_rm.as_slice());
        if limits == ContainerUpdateBody::default() && publish_add.is_empty() && publish_rm.is_empty() {
            return Err(Error::new("you must provide one or more flags when using this command"));
        }
        let body = Body { limits, publish_add, publish_rm };
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
