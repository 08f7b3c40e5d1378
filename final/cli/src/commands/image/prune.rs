//! `image prune`: remove images that have no name, or that no container uses.

use clap::Args;
use serde::Deserialize;

use super::rm::{Removed, lines};
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::{self, labels, units};

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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pruned {
    #[serde(default)]
    images_deleted: Option<Vec<Removed>>,
    #[serde(default)]
    space_reclaimed: i64,
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
        if !self.force && !output::confirm(warning)? {
            return Ok(DONE);
        }
        let (text, space) = prune(client, self.all, &self.filters).await?;
        output::print(format!("{text}Total reclaimed space: {}\n", units::size_exact(space)))?;
        Ok(DONE)
    }
}

/// Removes them; returns what to print and the space that was freed.
pub(crate) async fn prune(client: &Client, all: bool, filters: &[(String, String)]) -> Result<(String, i64)> {
    let mut filters = filters.to_vec();
    filters.push(("dangling".to_owned(), (!all).to_string()));
    let request = Request::post("/images/prune").maybe("filters", labels::filters(&filters));
    let pruned: Pruned = client.json(request).await?;
    let removed = pruned.images_deleted.unwrap_or_default();
    let text = if removed.is_empty() { String::new() } else { format!("Deleted Images:\n{}\n", lines(&removed)) };
    Ok((text, pruned.space_reclaimed))
}
