//! `commit`: an image of a container and what it has changed.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::image::pull::Reference;
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::grammar::boolean;
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Commit {
    /// Who made it, such as "Jane <jane@example.org>"
    #[arg(short, long, value_name = "AUTHOR")]
    author: Option<String>,
    /// Instruction of a Dockerfile to apply, such as CMD sh
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// Comment of the image
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Freeze the container meanwhile (the default; --pause=false does not)
    #[arg(short, long, value_name = "BOOLEAN", default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true, hide_default_value = true, value_parser = boolean)]
    pause: bool,
    #[arg(hide = true, value_name = "CONTAINER")]
    container: String,
    #[arg(hide = true, value_name = "REPOSITORY")]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Committed {
    id: String,
}

impl Execute for Commit {
    const USAGE: &'static str = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]";
    const ABOUT: &'static str = "Make an image of a container and what it has changed";

    async fn execute(self, client: &Client) -> Result<Exit> {
        if let Some(name) = self.name.as_deref().filter(|name| !name.is_empty()) {
            Reference::parse(name)?;
        }
        let (repository, tag) = self.name.as_deref().map_or((None, None), split);
        let mut request = Request::post("/commit").query("container", &self.container);
        request = request.maybe("repo", repository).maybe("tag", tag).maybe("author", self.author);
        request = request.maybe("comment", self.message);
        for change in &self.changes {
            request = request.query("changes", change);
        }
        if !self.pause {
            request = request.query("pause", "0");
        }
        let committed: Committed = client.json(request).await?;
        output::line(committed.id)?;
        Ok(DONE)
    }
}

/// The tag is behind the last colon, unless that is the one of a registry's port.
fn split(name: &str) -> (Option<&str>, Option<&str>) {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (Some(repository), Some(tag)),
        _ => (Some(name), None),
    }
}
