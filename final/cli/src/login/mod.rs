//! Who we are to registries.
//!
//! The daemon keeps no passwords; the client sends what a request needs along with it, in one header. Where it has it from
//! is docker's own file, so that a login by docker is one here and the other way round:
//!
//! ```text
//! ~/.docker/config.json                       DOCKER_CONFIG or --config names another directory
//!   auths        HOST: { "auth": base64 of user:password, or "identitytoken" }
//!   credHelpers  HOST: NAME                   for this registry, docker-credential-NAME knows
//!   credsStore   NAME                         for all others, docker-credential-NAME knows
//! ```
//!
//! A helper that is configured and does not answer is an error. Going on with what the file has, or with what another
//! registry would get, has shown passwords to the wrong host (CVE-2021-41092).
//!
//! - `config.rs`: the file; `helper.rs`: programs that keep secrets.

mod config;
mod helper;

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::json;

use self::config::Config;
use crate::error::Result;

/// docker.io under the name that docker has always kept its login by.
const HUB: &str = "https://index.docker.io/v1/";

/// Where logins are kept.
#[derive(Debug, Clone)]
pub(crate) struct Logins {
    directory: PathBuf,
}

/// One login.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret {
    pub(crate) username: String,
    pub(crate) password: String,
    /// A refresh token, in the place of the password.
    pub(crate) identity_token: String,
}

/// Never prints a secret.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Secret {
    fn is_empty(&self) -> bool {
        self.username.is_empty() && self.identity_token.is_empty()
    }
}

impl Logins {
    /// In the directory that `--config` names, or `DOCKER_CONFIG`, or `~/.docker`.
    pub(crate) fn at(directory: Option<String>) -> Self {
        let named = directory.map(PathBuf::from).or_else(|| std::env::var_os("DOCKER_CONFIG").map(PathBuf::from));
        let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".docker");
        Self { directory: named.filter(|path| !path.as_os_str().is_empty()).unwrap_or_else(home) }
    }

    /// Where docker's clients keep their settings.
    pub(crate) fn directory(&self) -> &std::path::Path {
        &self.directory
    }

    /// The file, for messages.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.join("config.json")
    }

    /// The header `X-Registry-Auth` for a registry; none when we are nobody to it.
    pub(crate) fn header(&self, registry: &str) -> Result<Option<String>> {
        let Some(secret) = self.find(registry)? else { return Ok(None) };
        let server = server(registry);
        let login = if secret.identity_token.is_empty() {
            json!({ "username": secret.username, "password": secret.password, "serveraddress": server })
        } else {
            json!({ "username": secret.username, "identitytoken": secret.identity_token, "serveraddress": server })
        };
        Ok(Some(URL_SAFE.encode(login.to_string())))
    }

    /// The login for a registry.
    pub(crate) fn find(&self, registry: &str) -> Result<Option<Secret>> {
        let config = Config::read(&self.file())?;
        let found = match config.helper(server(registry)) {
            Some(helper) => helper::get(&helper, server(registry))?,
            None => config.secret(server(registry)),
        };
        Ok(found.filter(|secret| !secret.is_empty()))
    }

    /// All logins as the text of a `config.json` that needs no helper; none when there are none.
    pub(crate) fn all(&self) -> Result<Option<String>> {
        let config = Config::read(&self.file())?;
        let mut servers: BTreeSet<String> = config.servers().cloned().collect();
        if let Some(helper) = config.default_helper() {
            servers.extend(helper::list(helper)?);
        }
        let mut all = Config::empty();
        for server in &servers {
            let found = match config.helper(server) {
                Some(helper) => helper::get(&helper, server)?,
                None => config.secret(server),
            };
            if let Some(secret) = found.filter(|secret| !secret.is_empty()) {
                all.set(server, Some(&secret));
            }
        }
        Ok((all.servers().count() > 0).then(|| all.text()))
    }

    /// Keeps a login. Returns whether it is readable in the file, because no helper keeps it.
    pub(crate) fn keep(&self, registry: &str, secret: &Secret) -> Result<bool> {
        let mut config = Config::read(&self.file())?;
        let helper = config.helper(server(registry));
        if let Some(helper) = &helper {
            helper::store(helper, server(registry), secret)?;
        }
        config.set(server(registry), helper.is_none().then_some(secret));
        config.write()?;
        Ok(helper.is_none())
    }

    /// Forgets a login; returns whether there was one.
    pub(crate) fn forget(&self, registry: &str) -> Result<bool> {
        let mut config = Config::read(&self.file())?;
        let known = config.remove(server(registry));
        if known {
            if let Some(helper) = config.helper(server(registry)) {
                helper::erase(&helper, server(registry))?;
            }
            config.write()?;
        }
        Ok(known)
    }
}

/// The name by which a registry's login is kept.
pub(crate) fn server(registry: &str) -> &str {
    match registry {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => HUB,
        other => other,
    }
}

/// The registry that was named on the command line, perhaps as a URL.
pub(crate) fn registry(named: Option<&str>) -> &str {
    let Some(name) = named else { return "docker.io" };
    let host = name.split_once("://").map_or(name, |(_, rest)| rest);
    match host.split('/').next().unwrap_or_default() {
        "" | "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn logins() -> (tempfile::TempDir, Logins) {
        let directory = tempfile::tempdir().unwrap();
        let logins = Logins::at(Some(directory.path().display().to_string()));
        (directory, logins)
    }

    fn me() -> Secret {
        Secret { username: "me".into(), password: "it:is".into(), ..Secret::default() }
    }

    #[test]
    fn a_login_is_kept_and_forgotten_and_what_else_is_in_the_file_stays() {
        let (_directory, logins) = logins();
        std::fs::write(logins.file(), r#"{"psFormat":"{{.ID}}","auths":{"other:1":{"auth":"YTpi"}}}"#).unwrap();
        assert!(logins.keep("localhost:5000", &me()).unwrap());
        assert_eq!(logins.find("localhost:5000").unwrap(), Some(me()));
        assert_eq!(logins.find("other:1").unwrap().unwrap().password, "b");
        assert_eq!(logins.find("localhost").unwrap(), None);
        let mode = std::fs::metadata(logins.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(logins.forget("localhost:5000").unwrap() && !logins.forget("localhost:5000").unwrap());
        let left = std::fs::read_to_string(logins.file()).unwrap();
        assert!(left.contains("psFormat") && left.contains("other:1") && !left.contains("localhost"), "{left}");
    }

    #[test]
    fn the_hub_has_one_name_and_a_token_takes_the_place_of_a_password() {
        let (_directory, logins) = logins();
        let token = Secret { username: "me".into(), identity_token: "t".into(), ..Secret::default() };
        logins.keep(registry(None), &token).unwrap();
        assert!(std::fs::read_to_string(logins.file()).unwrap().contains("https://index.docker.io/v1/"));
        let header = URL_SAFE.decode(logins.header("docker.io").unwrap().unwrap()).unwrap();
        let header = String::from_utf8(header).unwrap();
        assert!(header.contains(r#""identitytoken":"t""#) && !header.contains("password"), "{header}");
        assert_eq!(registry(Some("https://host:5000/v2/")), "host:5000");
    }

    #[test]
    fn a_helper_that_is_missing_is_an_error_and_not_somebody_else() {
        let (_directory, logins) = logins();
        let text = r#"{"auths":{"a:1":{"auth":"YTpi"},"b:1":{"auth":"YTpi"}},"credHelpers":{"a:1":"no-such-helper"}}"#;
        std::fs::write(logins.file(), text).unwrap();
        let error = logins.header("a:1").unwrap_err();
        assert!(error.message.contains("docker-credential-no-such-helper"), "{}", error.message);
        assert!(logins.header("b:1").unwrap().is_some());
    }

    #[test]
    fn a_broken_file_is_told_and_not_overwritten() {
        let (_directory, logins) = logins();
        std::fs::write(logins.file(), "{").unwrap();
        assert!(logins.find("a").is_err() && logins.keep("a", &me()).is_err());
        assert_eq!(std::fs::read_to_string(logins.file()).unwrap(), "{");
    }
}
