//! `context create` and `context update`: a daemon gets a name, or another address.

use clap::Args;

use super::{check, check_new, read};
use crate::client::{Client, Endpoint};
use crate::commands::{DONE, Execute, Exit};
use crate::context::{Context, Store};
use crate::error::{Error, Opening as _, Result};
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
        check_new(client, &self.name)?;
        if self.docker.is_some() && self.from.is_some() {
            return Err(Error::new("cannot use --docker flag when --from is set"));
        }
        // Nobody said where the daemon is: then it is where the current one is.
        let from = self.from.as_deref().or_else(|| self.docker.is_none().then_some(client.contexts.chosen.as_str()));
        let mut context = match from {
            Some(from) => {
                let context = read(client, from)?;
                store.copy_tls(from, &self.name)?;
                context
            }
            None => Context::default(),
        };
        context.name.clone_from(&self.name);
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
        check(&self.name)?;
        let mut context = store.read(&self.name)?;
        if self.docker.is_some() {
            // Another daemon: what was known of the old one's certificate says nothing about it.
            store.remove_tls(&self.name)?;
        }
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
                let from = store.read(value)?;
                store.copy_tls(value, &context.name)?;
                context.endpoints.extend(from.endpoints);
            }
            "ca" | "cert" | "key" => {
                let bytes = std::fs::read(value).opening(value).map_err(unable)?;
                store.write_tls(&context.name, &format!("{key}.pem"), &bytes)?;
            }
            "skip-tls-verify" => {
                if let Some(address) = context.endpoints.get_mut("docker") {
                    address.skip_tls_verify = crate::grammar::boolean(value)
                        .map_err(|why| unable(Error::new(format!("skip-tls-verify: {why}"))))?;
                }
            }
            _ => return Err(bad(&format!("{key}={value}"))),
        }
    }
    Ok(())
}

fn unable(error: Error) -> Error {
    error.while_doing("unable to create docker endpoint config")
}

fn bad(setting: &str) -> Error {
    let key = setting.split('=').next().unwrap_or(setting);
    unable(Error::new(format!("unrecognized config key: {key}")))
        .hint("Known are host, from, ca, cert, key, skip-tls-verify, with commas between them.")
}
