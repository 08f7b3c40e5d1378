//! `network prune`: remove networks that no container is in.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::{self, labels};

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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pruned {
    #[serde(default)]
    networks_deleted: Option<Vec<String>>,
}

impl Execute for Prune {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Remove networks that nobody uses";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let warning = "WARNING! This will remove all custom networks not used by at least one container.";
        if self.force || output::confirm(warning)? {
            output::print(prune(client, &self.filters).await?)?;
        }
        Ok(DONE)
    }
}

/// Removes them; returns what to print.
pub(crate) async fn prune(client: &Client, filters: &[(String, String)]) -> Result<String> {
    let request = Request::post("/networks/prune").maybe("filters", labels::filters(filters));
    let pruned: Pruned = client.json(request).await?;
    let names = pruned.networks_deleted.unwrap_or_default();
    Ok(if names.is_empty() { String::new() } else { format!("Deleted Networks:\n{}\n\n", names.join("\n")) })
}
