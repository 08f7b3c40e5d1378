//! `rename`: give a container another name.

use clap::Args;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;

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
        client.send(Request::post(format!("{}/rename", path(&self.container))).query("name", &self.name)).await?;
        Ok(DONE)
    }
}
