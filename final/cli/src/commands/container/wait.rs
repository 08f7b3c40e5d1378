//! `wait`: wait until containers have stopped.

use clap::Args;

use super::run::wait;
use crate::client::Client;
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::output;

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Wait {
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Execute for Wait {
    const USAGE: &'static str = "CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Wait until containers have ended, and print their exit statuses";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let mut errors = Vec::new();
        for name in &self.containers {
            let code = async { wait(client, name, "not-running").await?.code().await };
            match code.await {
                Ok(code) => output::line(code.to_string())?,
                Err(error) => errors.push(error),
            }
        }
        Error::all(errors).map(|()| DONE)
    }
}
