//! `run` and `create`: from flags to the body of the request, without asking anybody.
//!
//! Each file has the flags of one concern and says where they go:
//!
//! 1. `identity.rs`: name, labels, image.
//! 2. `process.rs`: program, environment, user, restart.
//! 3. `streams.rs`: input, output, terminal.
//! 4. `resources.rs`, `limits.rs`: memory, processors, processes; the first has what `update` can change.
//! 5. `files.rs`: volumes, mounts, devices.
//! 6. `network.rs`: networks, ports, names.
//! 7. `isolation.rs`: namespaces, capabilities, security options.
//! 8. `health.rs`, `logs.rs`: the health check, the log.
//! 9. `refused.rs`: what docker has and we have not.

mod files;
mod health;
mod identity;
mod isolation;
mod limits;
mod logs;
mod network;
mod process;
mod refused;
mod resources;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;

use bollard_stubs::models::{ContainerCreateBody, HostConfig};
use clap::Args;

pub(crate) mod proxies;

pub(crate) use identity::{Identity, Pull};
pub(crate) use network::{address, endpoint};
pub(crate) use process::{Process, environment, restart_policy};
pub(crate) use resources::Resources;
pub(crate) use streams::{Connected, Streams};

use crate::error::{ENGINE, Error, Opening as _, Result};

/// All flags of `create`, and the image with its command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) identity: Identity,
    #[command(flatten)]
    pub(crate) process: Process,
    #[command(flatten)]
    pub(crate) streams: Streams,
    #[command(flatten)]
    limits: limits::Limits,
    #[command(flatten)]
    files: files::Files,
    #[command(flatten)]
    network: network::Network,
    #[command(flatten)]
    isolation: isolation::Isolation,
    #[command(flatten)]
    health: health::Health,
    #[command(flatten)]
    logs: logs::Logs,
    /// Let the container give orders to this daemon: mount its socket and hand over the logins to registries
    #[arg(long)]
    pub(crate) use_api_socket: bool,
    #[command(flatten)]
    refused: refused::Refused,
    /// The image, then the command and its arguments; from the image on nothing is a flag of ours
    #[arg(required = true, trailing_var_arg = true, value_name = "IMAGE", hide = true)]
    words: Vec<String>,
}

impl Options {
    /// The image as it was named.
    pub(crate) fn image(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The body of `POST /containers/create`. What was not asked for is not in it, so that the daemon's defaults apply.
    ///
    /// Reads the files that flags name, and our own environment through `look_up`.
    /// What is wrong with the flags has docker's exit status for that.
    pub(crate) fn body(&self, detached: bool, look_up: &dyn Fn(&str) -> Option<String>) -> Result<ContainerCreateBody> {
        self.translate(detached, look_up).map_err(|error| error.exit(ENGINE))
    }

    fn translate(&self, detached: bool, look_up: &dyn Fn(&str) -> Option<String>) -> Result<ContainerCreateBody> {
        self.refused.check()?;
        let mut host = HostConfig::default();
        let mut body = ContainerCreateBody {
            image: Some(self.image().to_owned()),
            cmd: self.words.get(1..).filter(|command| !command.is_empty()).map(<[String]>::to_vec),
            ..ContainerCreateBody::default()
        };
        self.identity.apply(&mut body, &mut host)?;
        self.process.apply(&mut body, &mut host, look_up)?;
        self.streams.apply(&mut body, detached);
        self.limits.apply(&mut host)?;
        self.files.apply(&mut body, &mut host);
        self.network.apply(&mut body, &mut host)?;
        self.isolation.apply(&mut host)?;
        self.health.apply(&mut body)?;
        self.logs.apply(&mut host)?;
        body.host_config = Some(host);
        Ok(body)
    }
}

/// The list, unless it is empty: an empty list in a request is not the same as none.
fn given<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    if list.is_empty() { None } else { Some(list.to_vec()) }
}

/// `{}`: the API has sets as objects whose values say nothing.
#[expect(clippy::zero_sized_map_values)]
fn empty() -> HashMap<(), ()> {
    HashMap::new()
}

/// The text of a file that a flag names.
fn read_file(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).opening(path.display())?;
    String::from_utf8(bytes).map_err(|_| Error::new(format!("cannot use {}: it is not text", path.display())))
}
