//! `stop` and `restart`: ask the program to end, and after a while make it end.

use clap::Args;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{Execute, Exit, each};
use crate::error::Result;

/// The flags and arguments of `stop`.
#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// Signal to send first
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
    /// Seconds until it is killed; -1 for never
    #[arg(short, long = "timeout", alias = "time", value_name = "SECONDS")]
    timeout: Option<i64>,
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// The flags and arguments of `restart`.
#[derive(Debug, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    stop: Stop,
}

impl Execute for Stop {
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Ask running containers to end, and kill those that do not";

    async fn execute(self, client: &Client) -> Result<Exit> {
        self.send(client, "stop").await
    }
}

impl Execute for Restart {
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Stop containers and start them again";

    async fn execute(self, client: &Client) -> Result<Exit> {
        self.stop.send(client, "restart").await
    }
}

impl Stop {
    async fn send(&self, client: &Client, what: &str) -> Result<Exit> {
        let timeout = self.timeout.map(|seconds| seconds.to_string());
        let send = async |name: &str| {
            let request = Request::post(format!("{}/{what}", path(name)));
            client.send(request.maybe("signal", self.signal.as_ref()).maybe("t", timeout.as_ref())).await
        };
        each(&self.containers, send).await
    }
}
