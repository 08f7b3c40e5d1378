//! `volume rm`: remove volumes and what is in them.

use clap::Args;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{Execute, Exit, each_in_turn};
use crate::error::Result;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Not an error when it is not there
    #[arg(short, long)]
    force: bool,
    #[arg(required = true, hide = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

impl Execute for Rm {
    const USAGE: &'static str = "[OPTIONS] VOLUME [VOLUME...]";
    const ABOUT: &'static str = "Remove volumes and what is in them";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let remove = async |name: &str| client.send(Request::delete(path(name)).flag("force", self.force)).await;
        each_in_turn(&self.volumes, remove).await
    }
}
