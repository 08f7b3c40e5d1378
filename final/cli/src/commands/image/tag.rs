//! `tag`: another name for an image.

use clap::Args;

use super::path;
use super::pull::Reference;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Tag {
    #[arg(hide = true, value_name = "SOURCE_IMAGE")]
    source: String,
    #[arg(hide = true, value_name = "TARGET_IMAGE")]
    target: String,
}

impl Execute for Tag {
    const USAGE: &'static str = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]";
    const ABOUT: &'static str = "Give an image another name";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let target = Reference::parse(&self.target).map_err(|error| {
            error.while_doing(format!("Error parsing reference: \"{}\" is not a valid repository/tag", self.target))
        })?;
        if target.digest.is_some() {
            return Err(Error::new("refusing to create a tag with a digest reference"));
        }
        let request = Request::post(format!("{}/tag", path(&self.source))).query("repo", target.repository());
        client.send(request.query("tag", target.tag.as_deref().unwrap_or("latest"))).await?;
        Ok(DONE)
    }
}
