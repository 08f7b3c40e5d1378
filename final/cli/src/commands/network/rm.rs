//! `network rm`: remove networks.

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
    #[arg(required = true, hide = true, value_name = "NETWORK")]
    networks: Vec<String>,
}

impl Execute for Rm {
    const USAGE: &'static str = "[OPTIONS] NETWORK [NETWORK...]";
    const ABOUT: &'static str = "Remove networks";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let remove = async |name: &str| match client.send(Request::delete(path(name))).await {
            Err(error) if self.force && error.is_not_found() => Ok(()),
            other => other,
        };
        each_in_turn(&self.networks, remove).await
    }
}
