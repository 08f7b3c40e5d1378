//! `export`: a container's whole root as a tar archive.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;

use super::path;
use crate::client::{Client, Request};
use crate::commands::image::save::Target;
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The archive, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[arg(hide = true, value_name = "CONTAINER")]
    container: String,
}

impl Execute for Export {
    const USAGE: &'static str = "[OPTIONS] CONTAINER";
    const ABOUT: &'static str = "Write a container's files to a tar archive";

    async fn execute(self, client: &Client) -> Result<Exit> {
        if self.output.is_none() && io::stdout().is_terminal() {
            return Err(Error::new("an archive is not for a terminal")
                .hint("Use the -o flag, or redirect the output: skiff export CONTAINER > files.tar"));
        }
        let body = client.stream(Request::get(format!("{}/export", path(&self.container)))).await?;
        Target::open(self.output.as_deref())?.take(body).await?;
        Ok(DONE)
    }
}
