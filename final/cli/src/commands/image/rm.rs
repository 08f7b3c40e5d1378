//! `rmi`: remove images, or only names of them.

use clap::Args;
use serde::Deserialize;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Remove it even when containers use it
    #[arg(short, long)]
    force: bool,
    /// Keep the untagged images it was made of
    #[arg(long)]
    no_prune: bool,
    /// Only this platform of the image
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<String>,
    #[arg(required = true, hide = true, value_name = "IMAGE")]
    images: Vec<String>,
}

/// One thing that was removed: a name or the image itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(crate) struct Removed {
    untagged: Option<String>,
    deleted: Option<String>,
}

impl Execute for Rm {
    const USAGE: &'static str = "[OPTIONS] IMAGE [IMAGE...]";
    const ABOUT: &'static str = "Remove images, or only names of them";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let mut errors = Vec::new();
        for image in &self.images {
            let mut request = Request::delete(path(image)).flag("force", self.force).flag("noprune", self.no_prune);
            for platform in &self.platform {
                request = request.query("platforms", super::load::platform_json(platform));
            }
            match client.json::<Vec<Removed>>(request).await {
                Ok(removed) => output::print(lines(&removed))?,
                Err(error) if self.force && error.is_not_found() => output::notice(error.sentence()),
                Err(error) => errors.push(error),
            }
        }
        Error::all(errors).map(|()| DONE)
    }
}

impl Removed {
    /// `untagged: …` or `deleted: …`, as `prune` has it.
    pub(crate) fn lower(&self) -> String {
        match (&self.deleted, &self.untagged) {
            (Some(id), _) if !id.is_empty() => format!("deleted: {id}"),
            (_, name) => format!("untagged: {}", name.as_deref().unwrap_or_default()),
        }
    }
}

/// `Untagged: …` and `Deleted: …` lines.
fn lines(removed: &[Removed]) -> String {
    let line = |removed: &Removed| match (&removed.deleted, &removed.untagged) {
        (Some(id), _) if !id.is_empty() => format!("Deleted: {id}\n"),
        (_, Some(name)) => format!("Untagged: {name}\n"),
        _ => String::new(),
    };
    removed.iter().map(line).collect()
}
