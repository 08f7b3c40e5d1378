//! Commands about containers.

mod api_socket;
pub(super) mod attach;
pub(super) mod commit;
pub(super) mod cp;
pub(super) mod create;
pub(super) mod diff;
pub(super) mod exec;
pub(super) mod export;
pub(super) mod inspect;
pub(super) mod kill;
pub(super) mod logs;
pub(super) mod ls;
pub(super) mod pause;
pub(super) mod port;
pub(super) mod prune;
pub(super) mod rename;
pub(super) mod rm;
pub(super) mod run;
pub(super) mod start;
pub(super) mod stats;
pub(super) mod stop;
pub(super) mod top;
pub(super) mod update;
pub(super) mod wait;

use serde::Deserialize;

use crate::client::{Client, Request, segment};
use crate::error::{Error, Result};

/// The path of a container in the API.
pub(super) fn path(name: &str) -> String {
    format!("/containers/{}", segment(name))
}

/// What of `inspect` decides how a container is attached to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Container {
    /// Full id.
    pub(super) id: String,
    /// What was asked for.
    pub(super) config: Config,
    /// What it is doing.
    pub(super) state: State,
}

/// What was asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(super) struct Config {
    /// Whether it has a terminal.
    pub(super) tty: bool,
    /// Whether its standard input was kept open.
    pub(super) open_stdin: bool,
}

/// What it is doing.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(super) struct State {
    /// Whether it runs (also when paused).
    pub(super) running: bool,
    /// Whether it is frozen.
    pub(super) paused: bool,
    /// Whether it waits to be started again.
    pub(super) restarting: bool,
}

impl Container {
    /// Asks the daemon.
    pub(super) async fn find(client: &Client, name: &str) -> Result<Self> {
        client.json(Request::get(format!("{}/json", path(name)))).await
    }
}

/// Which keys leave a container running: the flag's, or those of the user's settings, or docker's own.
pub(super) fn detach_keys(client: &Client, flag: Option<&Vec<u8>>) -> Result<Vec<u8>> {
    if let Some(keys) = flag {
        return Ok(keys.clone());
    }
    let keys = client.contexts.store.setting("detachKeys")?;
    let keys = keys.as_deref().unwrap_or(crate::grammar::keys::DEFAULT);
    crate::grammar::keys::parse(keys).map_err(|why| Error::new(format!("invalid detach keys ({keys}): {why}")))
}
