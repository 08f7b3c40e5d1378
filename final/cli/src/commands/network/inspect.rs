//! `network inspect`.

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
    /// Accepted for docker's sake
    #[arg(short, long, hide = true)]
    verbose: bool,
    #[arg(required = true, hide = true, value_name = "NETWORK")]
    networks: Vec<String>,
}

impl Execute for Inspect {
    const USAGE: &'static str = "[OPTIONS] NETWORK [NETWORK...]";
    const ABOUT: &'static str = "Show everything that is known about networks";

    async fn execute(self, client: &Client) -> Result<Exit> {
        show(client, &self.networks, &[Kind::Network], self.format.as_deref(), false).await
    }
}
