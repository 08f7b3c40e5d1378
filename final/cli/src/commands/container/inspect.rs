//! `container inspect`.

use clap::Args;

use crate::client::Client;
use crate::commands::system::inspect::{Kind, show};
use crate::commands::{Execute, Exit};
use crate::error::Result;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// How to print it: json, or a template
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Say also how much space it takes up
    #[arg(short, long)]
    size: bool,
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Execute for Inspect {
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Show everything that is known about containers";

    async fn execute(self, client: &Client) -> Result<Exit> {
        show(client, &self.containers, &[Kind::Container], self.format.as_deref(), self.size).await
    }
}
