//! `volume prune`: remove volumes that no container uses.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::{self, labels, units};

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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pruned {
    #[serde(default)]
    volumes_deleted: Option<Vec<String>>,
    #[serde(default)]
    space_reclaimed: i64,
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
        if !self.force && !output::confirm(warning)? {
            return Ok(DONE);
        }
        let mut filters = self.filters;
        if self.all {
            filters.push(("all".to_owned(), "true".to_owned()));
        }
        let (text, space) = prune(client, &filters).await?;
        output::print(format!("{text}Total reclaimed space: {}\n", units::size_exact(space)))?;
        Ok(DONE)
    }
}

/// Removes them; returns what to print and the space that was freed.
pub(crate) async fn prune(client: &Client, filters: &[(String, String)]) -> Result<(String, i64)> {
    let request = Request::post("/volumes/prune").maybe("filters", labels::filters(filters));
    let pruned: Pruned = client.json(request).await?;
    let names = pruned.volumes_deleted.unwrap_or_default();
    let text = if names.is_empty() { String::new() } else { format!("Deleted Volumes:\n{}\n\n", names.join("\n")) };
    Ok((text, pruned.space_reclaimed))
}
