//! `pause` and `unpause`: freeze and thaw (cgroups(7), the freezer).

use clap::Args;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{Execute, Exit, each};
use crate::error::Result;

/// The arguments of `pause`.
#[derive(Debug, Args)]
pub(crate) struct Pause {
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// The arguments of `unpause`.
#[derive(Debug, Args)]
pub(crate) struct Unpause {
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Execute for Pause {
    const USAGE: &'static str = "CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Freeze all processes of containers";

    async fn execute(self, client: &Client) -> Result<Exit> {
        each(&self.containers, async |name: &str| client.send(Request::post(format!("{}/pause", path(name)))).await)
            .await
    }
}

impl Execute for Unpause {
    const USAGE: &'static str = "CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Thaw all processes of containers";

    async fn execute(self, client: &Client) -> Result<Exit> {
        each(&self.containers, async |name: &str| client.send(Request::post(format!("{}/unpause", path(name)))).await)
            .await
    }
}
