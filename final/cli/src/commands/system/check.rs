//! `system check`: whether every image is what its name says. Only with our own daemon.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::output::{self, units};

/// There are no flags.
#[derive(Debug, Args)]
pub(crate) struct Check {}

/// What the daemon has found.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Found {
    images: u64,
    blobs: u64,
    layers: u64,
    bytes: i64,
    problems: Vec<String>,
    removed: Vec<String>,
    space_reclaimed: i64,
}

impl Execute for Check {
    const USAGE: &'static str = "";
    const ABOUT: &'static str = "Check every image, and remove what no image needs";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let found: Found = client.json(Request::post("/system/check")).await?;
        output::line(format!(
            "Checked {} images: {} blobs, {} layers, {} read",
            found.images,
            found.blobs,
            found.layers,
            units::size(found.bytes)
        ))?;
        if !found.removed.is_empty() {
            let (count, space) = (found.removed.len(), units::size(found.space_reclaimed));
            output::line(format!("Removed {count} blobs and layers that no image needs: {space}"))?;
        }
        // The first in front, because it is the sentence of the error.
        Error::all(found.problems.into_iter().map(Error::new).collect())?;
        output::line("All is well")?;
        Ok(DONE)
    }
}
