//! `context create` and `context update`: a daemon gets a name, or another address.

use clap::Args;

use crate::client::{Client, Endpoint};
use crate::commands::{DONE, Execute, Exit};
use crate::context::{Context, DEFAULT, Store};
use crate::error::{Error, Result};
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What to say of it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where the daemon is: host=ADDRESS,ca=FILE,cert=FILE,key=FILE,skip-tls-verify=BOOLEAN, or from=CONTEXT
    #[arg(long, value_name = "SETTINGS")]
    docker: Option<String>,
    /// Take everything from this context
    #[arg(long, value_name = "CONTEXT")]
    from: Option<String>,
    #[arg(hide = true, value_name = "CONTEXT")]
    name: String,
}

impl Execute for Create {
    const USAGE: &'static str = "[OPTIONS] CONTEXT";
    const ABOUT: &'static str = "Give a daemon a name";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let store = &client.contexts.store;
        check(&self.name)?;
        if store.has(&self.name) {
            return Err(Error::new(format!("context \"{}\" already exists", self.name))
                .hint("`skiff context update` changes it, `skiff context rm` removes it."));
        }
        let mut context = match self.from.as_deref() {
            Some(from) => store.read(from)?,
            None => Context::default(),
        };
        context.name.clone_from(&self.name);
        if self.docker.is_none() && self.from.is_none() {
            return Err(Error::new("docker endpoint configuration is required")
                .hint("Say where the daemon is: --docker host=tcp://HOST:2376 or --docker host=ssh://HOST."));
        }
        apply(store, &mut context, self.docker.as_deref(), self.description.as_deref())?;
        store.write(&context)?;
        output::line(&self.name)?;
        output::notice(format!("Successfully created context \"{}\"", self.name));
        Ok(DONE)
    }
}

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Update {
    /// What to say of it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where the daemon is: host=ADDRESS,ca=FILE,cert=FILE,key=FILE,skip-tls-verify=BOOLEAN
    #[arg(long, value_name = "SETTINGS")]
    docker: Option<String>,
    #[arg(hide = true, value_name = "CONTEXT")]
    name: String,
}

impl Execute for Update {
    const USAGE: &'static str = "[OPTIONS] CONTEXT";
    const ABOUT: &'static str = "Change where a context leads";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let store = &client.contexts.store;
        let mut context = store.read(&self.name)?;
        apply(store, &mut context, self.docker.as_deref(), self.description.as_deref())?;
        store.write(&context)?;
        output::line(&self.name)?;
        output::notice(format!("Successfully updated context \"{}\"", self.name));
        Ok(DONE)
    }
}

/// Puts the flags in their places.
fn apply(store: &Store, context: &mut Context, docker: Option<&str>, description: Option<&str>) -> Result<()> {
    if let Some(description) = description {
        description.clone_into(&mut context.metadata.description);
    }
    let settings = docker.iter().flat_map(|text| text.split(',')).filter(|setting| !setting.is_empty());
    let mut settings: Vec<(&str, &str)> =
        settings.map(|setting| setting.split_once('=').ok_or_else(|| bad(setting))).collect::<Result<_>>()?;
    // The address makes the place that the others are kept in.
    settings.sort_by_key(|(key, _)| !matches!(*key, "host" | "from"));
    for (key, value) in settings {
        match key {
            "host" => {
                Endpoint::parse(value)?;
                context.set_host(value);
            }
            "from" => {
                let host = store.read(value)?.host().to_owned();
                context.set_host(&host);
            }
            "ca" | "cert" | "key" => store.write_tls(&context.name, &format!("{key}.pem"), value.as_ref())?,
            "skip-tls-verify" => {
                if let Some(address) = context.endpoints.get_mut("docker") {
                    address.skip_tls_verify = crate::grammar::boolean(value).map_err(Error::new)?;
                }
            }
            _ => return Err(bad(&format!("{key}={value}"))),
        }
    }
    Ok(())
}

fn bad(setting: &str) -> Error {
    Error::new(format!("unrecognized config key in '{setting}'"))
        .hint("Known are host, from, ca, cert, key, skip-tls-verify, with commas between them.")
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
