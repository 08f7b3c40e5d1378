//! `rm`: remove containers.

use clap::Args;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit, each};
use crate::error::Result;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Kill it first when it runs
    #[arg(short, long)]
    force: bool,
    /// Remove the link and not the container
    #[arg(short, long)]
    link: bool,
    /// Remove its volumes that have no name, too
    #[arg(short, long)]
    volumes: bool,
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Execute for Rm {
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Remove containers";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let remove = async |name: &str| {
            let request = Request::delete(path(name.trim_matches('/')));
            let request = request.flag("v", self.volumes).flag("link", self.link).flag("force", self.force);
            client.send(request).await
        };
        match each(&self.containers, remove).await {
            // What is gone need not be removed by force.
            Err(error) if self.force => error.except_not_found().map_or(Ok(DONE), Err),
            other => other,
        }
    }
}
