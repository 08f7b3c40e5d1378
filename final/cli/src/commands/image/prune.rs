//! `image prune`: remove images that have no name, or that no container uses.

use clap::Args;

use crate::client::Client;
use crate::commands::prune::IMAGES;
use crate::commands::{Execute, Exit};
use crate::error::Result;
use crate::output::labels;

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// All that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Only those that fit, such as until=24h
    #[arg(long = "filter", value_name = "FILTER", value_parser = labels::filter)]
    filters: Vec<(String, String)>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

impl Execute for Prune {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Remove images that nobody uses";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let warning = if self.all {
            "WARNING! This will remove all images without at least one container associated to them."
        } else {
            "WARNING! This will remove all dangling images."
        };
        IMAGES.command(client, warning, self.force, &filters(self.all, self.filters)).await
    }
}

/// Whether those with a name are meant, too, is a filter in the API.
pub(crate) fn filters(all: bool, mut filters: Vec<(String, String)>) -> Vec<(String, String)> {
    filters.push(("dangling".to_owned(), (!all).to_string()));
    filters
}
