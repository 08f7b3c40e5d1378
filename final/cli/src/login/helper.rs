//! Programs that keep secrets: `docker-credential-NAME` (docker-credential-helpers, README). Each is started with one word,
//! gets its question on standard input, and answers on standard output.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write as _};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::Secret;
use crate::error::{Error, Result, reason};

/// The user name by which a helper says that the secret is a refresh token.
const TOKEN: &str = "<token>";

/// What a helper stores and gives back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(rename = "ServerURL", default)]
    server: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// The login for a server; none when the helper knows none.
pub(super) fn get(helper: &str, server: &str) -> Result<Option<Secret>> {
    let answer = match ask(helper, "get", server) {
        Err(error) if error.message.contains("credentials not found") => return Ok(None),
        answer => answer?,
    };
    let entry: Entry = serde_json::from_str(&answer)
        .map_err(|error| Error::new(format!("cannot understand docker-credential-{helper}: {error}")))?;
    Ok(Some(match entry.username.as_str() {
        TOKEN => Secret { username: entry.username, identity_token: entry.secret, ..Secret::default() },
        _ => Secret { username: entry.username, password: entry.secret, ..Secret::default() },
    }))
}

/// The servers that the helper knows logins for.
pub(super) fn list(helper: &str) -> Result<Vec<String>> {
    let answer = ask(helper, "list", "")?;
    let known: BTreeMap<String, String> = serde_json::from_str(&answer)
        .map_err(|error| Error::new(format!("cannot understand docker-credential-{helper}: {error}")))?;
    Ok(known.into_keys().collect())
}

/// Keeps a login.
pub(super) fn store(helper: &str, server: &str, secret: &Secret) -> Result<()> {
    let (username, word) = match secret.identity_token.as_str() {
        "" => (secret.username.as_str(), &secret.password),
        _ => (TOKEN, &secret.identity_token),
    };
    let entry = Entry { server: server.to_owned(), username: username.to_owned(), secret: word.clone() };
    let text = serde_json::to_string(&entry).map_err(|error| Error::new(error.to_string()))?;
    ask(helper, "store", &text).map(drop)
}

/// Forgets a login.
pub(super) fn erase(helper: &str, server: &str) -> Result<()> {
    ask(helper, "erase", server).map(drop)
}

fn ask(helper: &str, verb: &str, input: &str) -> Result<String> {
    let program = format!("docker-credential-{helper}");
    let failed = |why: &str| {
        Error::new(format!("cannot ask {program}: {why}"))
            .hint("The file config.json names this program as the keeper of your logins to registries.")
    };
    // A name is a name: with a slash it would be a path, and no longer one of docker's helpers.
    if helper.contains('/') {
        return Err(failed("its name has a slash"));
    }
    let mut command = Command::new(&program);
    command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => failed("there is no such program on the path"),
        _ => failed(&reason(&error)),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that ends without reading has its reasons, and tells them.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| failed(&reason(&error)))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() { Ok(text) } else { Err(failed(if text.is_empty() { "it failed" } else { &text })) }
}
