//! `completion`: a script that teaches a shell our commands and flags.

use clap::Args;
use clap_complete::{Shell, generate};

use crate::client::Client;
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::{output, usage};

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL", hide = true)]
    shell: Shell,
}

impl Execute for Completion {
    const USAGE: &'static str = "bash|zsh|fish|elvish|powershell";
    const ABOUT: &'static str = "Print a completion script for a shell";

    async fn execute(self, _client: &Client) -> Result<Exit> {
        let mut script = Vec::new();
        generate(self.shell, &mut usage::whole(), "skiff", &mut script);
        output::print(script)?;
        Ok(DONE)
    }
}
