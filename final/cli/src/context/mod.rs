//! Contexts: daemons under a name, so that `-c far ps` needs no address.
//!
//! They are docker's own, in docker's own place, so that a context that docker made is one here and the other way round:
//!
//! ```text
//! ~/.docker/config.json                       "currentContext": which one is used when nobody names another
//! ~/.docker/contexts/meta/SHA256/meta.json    name, description, address; SHA256 is that of the name
//! ~/.docker/contexts/tls/SHA256/docker/       ca.pem, cert.pem, key.pem
//! ```
//!
//! The context `default` is in no file: it is the daemon that `DOCKER_HOST` names, or the one on this machine.
//!
//! - `store.rs`: the files.

mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use store::Store;

use crate::client::Tls;
use crate::error::{Error, Result};

/// The context that is in no file.
pub(crate) const DEFAULT: &str = "default";

/// A daemon under a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Context {
    /// What it is called.
    pub(crate) name: String,
    /// What its maker says of it.
    #[serde(default)]
    pub(crate) metadata: Metadata,
    /// How to reach it; docker's is under `docker`.
    #[serde(default)]
    pub(crate) endpoints: BTreeMap<String, Address>,
}

/// What its maker says of a context. What we do not know is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Metadata {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) description: String,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

/// How to reach a daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Address {
    /// `unix://…`, `tcp://…`, `ssh://…`.
    #[serde(default)]
    pub(crate) host: String,
    /// Whether its certificate is taken as it is.
    #[serde(default, rename = "SkipTLSVerify")]
    pub(crate) skip_tls_verify: bool,
}

impl Context {
    /// The daemon's address; empty for the default of this machine.
    pub(crate) fn host(&self) -> &str {
        self.endpoints.get("docker").map_or("", |address| &address.host)
    }

    /// Sets the daemon's address.
    pub(crate) fn set_host(&mut self, host: &str) {
        self.endpoints.insert("docker".to_owned(), Address { host: host.to_owned(), skip_tls_verify: false });
    }
}

/// The contexts, and which one this command line is about.
#[derive(Debug, Clone)]
pub(crate) struct Contexts {
    /// The files.
    pub(crate) store: Store,
    /// The name of the chosen one.
    pub(crate) chosen: String,
    /// Whether the environment names a daemon, which counts more than the current context.
    pub(crate) overridden: bool,
}

impl Contexts {
    /// Chooses: `-H` and `-c` first, then an address in the environment, then `DOCKER_CONTEXT`, then the current one.
    ///
    /// # Errors
    /// `-H` and `-c` at once.
    pub(crate) fn choose(
        directory: PathBuf,
        host: Option<&str>,
        context: Option<&str>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let store = Store::at(directory);
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let overridden = host.is_some() || set("SKIFF_HOST").is_some() || set("DOCKER_HOST").is_some();
        let chosen = match context {
            Some(_) if host.is_some() => {
                return Err(Error::new("conflicting options: cannot specify both --host and --context"));
            }
            Some(name) => name.to_owned(),
            None if overridden => DEFAULT.to_owned(),
            None => set("DOCKER_CONTEXT").or_else(|| store.current()).unwrap_or_else(|| DEFAULT.to_owned()),
        };
        Ok(Self { store, chosen, overridden: overridden && context.is_none() })
    }

    /// The address that the chosen context names, and how it is encrypted; none for the default one.
    pub(crate) fn address(&self) -> Result<Option<(String, Option<Tls>)>> {
        if self.chosen == DEFAULT {
            return Ok(None);
        }
        let context = self.store.read(&self.chosen);
        let context =
            context.map_err(|error| error.while_doing("Failed to initialize: unable to resolve docker endpoint"))?;
        let skip = context.endpoints.get("docker").is_some_and(|address| address.skip_tls_verify);
        let tls = Tls::of_context(&self.store.tls(&self.chosen).join("docker"), skip);
        Ok(Some((context.host().to_owned(), tls)).filter(|(host, _)| !host.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(directory: &std::path::Path, host: Option<&str>, context: Option<&str>, set: &[(&str, &str)]) -> String {
        let get = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Contexts::choose(directory.to_owned(), host, context, get)
            .map_or_else(|error| error.message, |found| found.chosen)
    }

    #[test]
    fn a_flag_counts_more_than_the_environment_and_that_more_than_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path();
        std::fs::write(at.join("config.json"), r#"{"auths":{},"currentContext":"current"}"#).unwrap();
        assert_eq!(chosen(at, None, None, &[]), "current");
        assert_eq!(chosen(at, None, None, &[("DOCKER_CONTEXT", "named")]), "named");
        assert_eq!(chosen(at, None, None, &[("DOCKER_CONTEXT", "named"), ("DOCKER_HOST", "unix:///x")]), DEFAULT);
        assert_eq!(chosen(at, None, Some("flag"), &[("DOCKER_HOST", "unix:///x")]), "flag");
        assert_eq!(chosen(at, Some("unix:///x"), None, &[("DOCKER_CONTEXT", "named")]), DEFAULT);
        assert!(chosen(at, Some("unix:///x"), Some("flag"), &[]).contains("both --host and --context"));
    }

    #[test]
    fn what_others_wrote_into_a_context_is_kept() {
        let text = r#"{"Name":"a","Metadata":{"Description":"d","StackOrchestrator":"swarm"},"Endpoints":{"docker":{"Host":"tcp://x","SkipTLSVerify":false},"kubernetes":{"Host":"y"}}}"#;
        let context: Context = serde_json::from_str(text).unwrap();
        assert_eq!(context.host(), "tcp://x");
        let again = serde_json::to_value(&context).unwrap();
        assert_eq!(again["Metadata"]["StackOrchestrator"], "swarm");
        assert_eq!(again["Endpoints"]["kubernetes"]["Host"], "y");
    }
}
