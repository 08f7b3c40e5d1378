//! `rename`: give a container another name.

use clap::Args;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Rename {
    #[arg(hide = true, value_name = "CONTAINER")]
    container: String,
    #[arg(hide = true, value_name = "NEW_NAME")]
    name: String,
}

impl Execute for Rename {
    const USAGE: &'static str = "CONTAINER NEW_NAME";
    const ABOUT: &'static str = "Give a container another name";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let request = Request::post(format!("{}/rename", path(&self.container))).query("name", &self.name);
        let failed = || Error::new(format!("Error: failed to rename container named {}", self.container));
        client.send(request).await.map_err(|error| error.and(failed()))?;
        Ok(DONE)
    }
}
