//! `man`: pages of the manual, one for each command, from the same definitions as the help.

use std::path::PathBuf;

use clap::Args;

use crate::client::Client;
use crate::commands::{DONE, Execute, Exit};
use crate::error::{During as _, Result};
use crate::usage;

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Where to write them; it is made if it is not there
    #[arg(value_name = "DIRECTORY", hide = true)]
    directory: PathBuf,
}

impl Execute for Man {
    const USAGE: &'static str = "DIRECTORY";
    const ABOUT: &'static str = "Write the pages of the manual: skiff.1, skiff-run.1 and so on";

    async fn execute(self, _client: &Client) -> Result<Exit> {
        let directory = &self.directory;
        std::fs::create_dir_all(directory).during("make the directory", directory.display())?;
        clap_mangen::generate_to(usage::whole(), directory).during("write the pages into", directory.display())?;
        Ok(DONE)
    }
}
