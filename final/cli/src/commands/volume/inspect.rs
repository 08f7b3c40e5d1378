//! `volume inspect`.

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
    #[arg(required = true, hide = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

impl Execute for Inspect {
    const USAGE: &'static str = "[OPTIONS] VOLUME [VOLUME...]";
    const ABOUT: &'static str = "Show everything that is known about volumes";

    async fn execute(self, client: &Client) -> Result<Exit> {
        show(client, &self.volumes, &[Kind::Volume], self.format.as_deref(), false).await
    }
}
