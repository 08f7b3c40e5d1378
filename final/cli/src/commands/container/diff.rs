//! `diff`: what a container has changed in its files.

use clap::Args;
use serde::Deserialize;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output;

/// The argument.
#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[arg(hide = true, value_name = "CONTAINER")]
    container: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Change {
    path: String,
    kind: u8,
}

impl Execute for Diff {
    const USAGE: &'static str = "CONTAINER";
    const ABOUT: &'static str = "Show which files a container has added (A), changed (C) and deleted (D)";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let request = Request::get(format!("{}/changes", path(&self.container)));
        // An older daemon says null for nothing.
        let changes: Option<Vec<Change>> = client.json(request).await?;
        for change in changes.unwrap_or_default() {
            let letter = match change.kind {
                0 => 'C',
                1 => 'A',
                _ => 'D',
            };
            output::line(format!("{letter} {}", change.path))?;
        }
        Ok(DONE)
    }
}
