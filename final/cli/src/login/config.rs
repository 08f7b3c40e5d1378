//! docker's `config.json`. We read and write the logins in it; everything else that is there stays as it is.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::Secret;
use crate::error::{During as _, Error, Result};

/// The file's content.
#[derive(Debug)]
pub(super) struct Config {
    path: PathBuf,
    content: Map<String, Value>,
}

impl Config {
    /// Reads the file. One that does not exist is empty.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => b"{}".to_vec(),
            answer => answer.during("read", path.display())?,
        };
        let content = serde_json::from_slice(&text).map_err(|error| {
            Error::new(format!("cannot read {}: {error}", path.display()))
                .hint("Correct the file or move it away; it is docker's and holds your logins to registries.")
        })?;
        Ok(Self { path: path.to_owned(), content })
    }

    /// One without logins and without a place.
    pub(super) fn empty() -> Self {
        Self { path: PathBuf::new(), content: Map::new() }
    }

    /// Its text.
    pub(super) fn text(&self) -> String {
        Value::Object(self.content.clone()).to_string()
    }

    /// The program that keeps the secrets of all servers without one of their own.
    pub(super) fn default_helper(&self) -> Option<&str> {
        self.content.get("credsStore")?.as_str().filter(|name| !name.is_empty())
    }

    /// The servers that the file names, with a login or a helper.
    pub(super) fn servers(&self) -> impl Iterator<Item = &String> {
        let named = |member: &str| self.content.get(member).and_then(Value::as_object);
        ["auths", "credHelpers"].into_iter().filter_map(named).flat_map(Map::keys)
    }

    /// The program that keeps the secret of this server, if not the file itself does.
    pub(super) fn helper(&self, server: &str) -> Option<String> {
        let own = self.content.get("credHelpers").and_then(|helpers| helpers.get(server));
        let name = own.or_else(|| self.content.get("credsStore"))?.as_str()?;
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// The login that the file itself has.
    pub(super) fn secret(&self, server: &str) -> Option<Secret> {
        let auths = self.content.get("auths")?.as_object()?;
        // docker has also written `https://host/v1/` for `host`.
        let entry = auths.get(server).or_else(|| {
            let same = |key: &str| key.contains("://") && super::registry(Some(key)) == super::registry(Some(server));
            auths.iter().find(|(key, _)| same(key)).map(|(_, entry)| entry)
        })?;
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let pair = STANDARD.decode(text("auth")).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = pair.unwrap_or_else(|| format!("{}:{}", text("username"), text("password")));
        let (username, password) = pair.split_once(':').unwrap_or_default();
        Some(Secret {
            username: username.to_owned(),
            password: password.trim_end_matches('\0').to_owned(),
            identity_token: text("identitytoken").to_owned(),
        })
    }

    /// Notes a login; without a secret, only that there is one, and a helper has it.
    pub(super) fn set(&mut self, server: &str, secret: Option<&Secret>) {
        let entry = secret.map_or_else(Map::new, |secret| {
            let pair = STANDARD.encode(format!("{}:{}", secret.username, secret.password));
            let mut entry = Map::from_iter([("auth".to_owned(), json!(pair))]);
            if !secret.identity_token.is_empty() {
                entry.insert("identitytoken".to_owned(), json!(secret.identity_token));
            }
            entry
        });
        let auths = self.content.entry("auths").or_insert_with(|| json!({}));
        if let Some(auths) = auths.as_object_mut() {
            auths.insert(server.to_owned(), Value::Object(entry));
        }
    }

    /// Removes a login; returns whether it was there.
    pub(super) fn remove(&mut self, server: &str) -> bool {
        let auths = self.content.get_mut("auths").and_then(Value::as_object_mut);
        auths.is_some_and(|auths| auths.remove(server).is_some())
    }

    /// Writes the file, all or nothing, for its owner's eyes only.
    pub(super) fn write(&self) -> Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory).during("make the directory", directory.display())?;
        let text = serde_json::to_vec_pretty(&self.content)
            .map_err(|error| Error::new(format!("cannot write {}: {error}", self.path.display())))?;
        let part = self.path.with_extension(format!("json.{}", std::process::id()));
        let open = || File::options().write(true).create(true).truncate(true).mode(0o600).open(&part);
        let written = open().and_then(|mut file| file.write_all(&text)).and_then(|()| fs::rename(&part, &self.path));
        if written.is_err() {
            let _ = fs::remove_file(&part);
        }
        written.during("write", self.path.display())
    }
}
