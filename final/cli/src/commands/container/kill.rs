//! `kill`: send a signal.

use clap::Args;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{Execute, Exit, each};
use crate::error::Result;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Kill {
    /// Signal to send (default KILL)
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Execute for Kill {
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Send a signal to running containers";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let kill = async |name: &str| {
            client.send(Request::post(format!("{}/kill", path(name))).maybe("signal", self.signal.as_ref())).await
        };
        each(&self.containers, kill).await
    }
}
