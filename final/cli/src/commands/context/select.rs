//! `context use` and `context show`: which context counts when nobody names one.

use clap::Args;

use super::warn;
use crate::client::Client;
use crate::commands::{DONE, Execute, Exit};
use crate::context::DEFAULT;
use crate::error::Result;
use crate::output;

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Use {
    #[arg(hide = true, value_name = "CONTEXT")]
    name: String,
}

impl Execute for Use {
    const USAGE: &'static str = "CONTEXT";
    const ABOUT: &'static str = "Make a context the current one";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let store = &client.contexts.store;
        if self.name != DEFAULT {
            store.read(&self.name)?;
        }
        store.set_current(Some(self.name.as_str()).filter(|name| *name != DEFAULT))?;
        output::line(&self.name)?;
        output::notice(format!("Current context is now \"{}\"", self.name));
        if self.name != DEFAULT {
            warn(client, &format!("\"{}\"", self.name));
        }
        Ok(DONE)
    }
}

/// No flags.
#[derive(Debug, Args)]
pub(crate) struct Show {}

impl Execute for Show {
    const USAGE: &'static str = "";
    const ABOUT: &'static str = "Say which context is the current one";

    async fn execute(self, client: &Client) -> Result<Exit> {
        output::line(&client.contexts.chosen)?;
        Ok(DONE)
    }
}
