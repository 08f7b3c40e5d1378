//! `context rm`: forget contexts.

use clap::Args;

use crate::client::Client;
use crate::commands::{Execute, Exit, each};
use crate::context::DEFAULT;
use crate::error::{Error, Result};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Rm {
    /// Also the one that is in use, and no error when there is none
    #[arg(short, long)]
    force: bool,
    #[arg(required = true, hide = true, value_name = "CONTEXT")]
    names: Vec<String>,
}

impl Execute for Rm {
    const USAGE: &'static str = "CONTEXT [CONTEXT...]";
    const ABOUT: &'static str = "Forget contexts";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let store = &client.contexts.store;
        let remove = async |name: &str| {
            if name == DEFAULT {
                return Err(Error::new("context \"default\" cannot be removed"));
            }
            if !store.has(name) && !self.force {
                return Err(Error::new(format!("context \"{name}\" does not exist")));
            }
            if store.current().as_deref() == Some(name) {
                if !self.force {
                    return Err(Error::new(format!("context \"{name}\" is in use, set -f flag to force remove")));
                }
                store.set_current(None)?;
            }
            store.remove(name)
        };
        each(&self.names, remove).await
    }
}
