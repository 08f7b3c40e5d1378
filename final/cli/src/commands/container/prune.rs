//! `container prune`: remove all containers that have ended.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::{self, labels, units};

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

/// What was removed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pruned {
    #[serde(default)]
    containers_deleted: Option<Vec<String>>,
    #[serde(default)]
    space_reclaimed: i64,
}

impl Execute for Prune {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Remove all containers that do not run";

    async fn execute(self, client: &Client) -> Result<Exit> {
        if !self.force && !output::confirm("WARNING! This will remove all stopped containers.")? {
            return Ok(DONE);
        }
        let (text, space) = prune(client, &self.filters).await?;
        output::print(format!("{text}Total reclaimed space: {}\n", units::size_exact(space)))?;
        Ok(DONE)
    }
}

/// Removes them; returns what to print and the space that was freed.
pub(crate) async fn prune(client: &Client, filters: &[(String, String)]) -> Result<(String, i64)> {
    let request = Request::post("/containers/prune").maybe("filters", labels::filters(filters));
    let pruned: Pruned = client.json(request).await?;
    let ids = pruned.containers_deleted.unwrap_or_default();
    let text = if ids.is_empty() { String::new() } else { format!("Deleted Containers:\n{}\n\n", ids.join("\n")) };
    Ok((text, pruned.space_reclaimed))
}
