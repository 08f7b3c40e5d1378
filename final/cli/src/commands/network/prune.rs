//! `network prune`: remove networks that no container is in.

use clap::Args;

use crate::client::Client;
use crate::commands::prune::NETWORKS;
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
    const ABOUT: &'static str = "Remove networks that nobody uses";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let warning = "WARNING! This will remove all custom networks not used by at least one container.";
        NETWORKS.command(client, warning, self.force, &self.filters).await
    }
}
