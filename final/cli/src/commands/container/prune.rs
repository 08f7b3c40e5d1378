//! `container prune`: remove all containers that have ended.

use clap::Args;

use crate::client::Client;
use crate::commands::prune::CONTAINERS;
use crate::commands::{Execute, Exit};
use crate::error::Result;
use crate::output::labels;

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Only those that fit, such as until=24h
    #[arg(long = "filter", value_name = "FILTER", value_parser = labels::filter)]
    filters: Vec<(String, String)>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Execute for Prune {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Remove all containers that do not run";

    async fn execute(self, client: &Client) -> Result<Exit> {
        CONTAINERS.command(client, "WARNING! This will remove all stopped containers.", self.force, &self.filters).await
    }
}
