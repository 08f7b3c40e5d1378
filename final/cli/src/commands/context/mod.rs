//! Commands about contexts. None of them talks to a daemon.

pub(super) mod archive;
pub(super) mod create;
pub(super) mod inspect;
pub(super) mod ls;
pub(super) mod rm;
pub(super) mod select;

use crate::client::Client;
use crate::context::{Context, DEFAULT};
use crate::error::{Error, Result};
use crate::output;

/// A context, also the one that is in no file.
fn read(client: &Client, name: &str) -> Result<Context> {
    if name != DEFAULT {
        return client.contexts.store.read(name);
    }
    let mut context = Context { name: name.to_owned(), ..Context::default() };
    context.set_host(&client.endpoint().to_string());
    Ok(context)
}

/// Docker's rule for names.
fn check(name: &str) -> Result<()> {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '-');
    if name == DEFAULT {
        return Err(Error::new("\"default\" is a reserved context name"));
    }
    if name.len() > 1 && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(rest) {
        return Ok(());
    }
    let rule = "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$";
    Err(Error::new(format!("context name \"{name}\" is invalid, names are validated against regexp \"{rule}\"")))
}

/// Docker's rule for new ones.
fn check_new(client: &Client, name: &str) -> Result<()> {
    check(name)?;
    if client.contexts.store.has(name) {
        return Err(Error::new(format!("context \"{name}\" already exists"))
            .hint("`skiff context update` changes it, `skiff context rm` removes it."));
    }
    Ok(())
}

/// Says that the current context is not what counts.
fn warn(client: &Client, name: &str) {
    if client.contexts.overridden {
        output::notice(format!(
            "Warning: DOCKER_HOST environment variable overrides the active context. To use {name}, either set the global --context flag, or unset DOCKER_HOST environment variable."
        ));
    }
}
