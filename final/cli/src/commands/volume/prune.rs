//! `volume prune`: remove volumes that no container uses.

use clap::Args;

use crate::client::Client;
use crate::commands::prune::VOLUMES;
use crate::commands::{Execute, Exit};
use crate::error::Result;
use crate::output::labels;

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Also those that have a name
    #[arg(short, long)]
    all: bool,
    /// Only those that fit, such as label=a
    #[arg(long = "filter", value_name = "FILTER", value_parser = labels::filter)]
    filters: Vec<(String, String)>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Execute for Prune {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Remove volumes that nobody uses";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let warning = if self.all {
            "WARNING! This will remove all local volumes not used by at least one container."
        } else {
            "WARNING! This will remove anonymous local volumes not used by at least one container."
        };
        let mut filters = self.filters;
        if self.all {
            filters.push(("all".to_owned(), "true".to_owned()));
        }
        VOLUMES.command(client, warning, self.force, &filters).await
    }
}
