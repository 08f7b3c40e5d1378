//! Commands about contexts. None of them talks to a daemon.

pub(super) mod create;
pub(super) mod inspect;
pub(super) mod ls;
pub(super) mod rm;
pub(super) mod select;

use crate::client::Client;
use crate::output;

/// Says that the current context is not what counts.
fn warn(client: &Client, name: &str) {
    if client.contexts.overridden {
        output::notice(format!(
            "Warning: DOCKER_HOST environment variable overrides the active context. To use {name}, either set the global --context flag, or unset DOCKER_HOST environment variable."
        ));
    }
}
