//! The files of contexts.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Context;
use crate::error::{During as _, Error, Result, reason};

/// The directory that docker's clients keep their settings in.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    directory: PathBuf,
}

impl Store {
    pub(super) fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// The directory with the file of a context.
    pub(crate) fn meta(&self, name: &str) -> PathBuf {
        self.directory.join("contexts/meta").join(digest(name))
    }

    /// The directory with the certificates of a context.
    pub(crate) fn tls(&self, name: &str) -> PathBuf {
        self.directory.join("contexts/tls").join(digest(name))
    }

    /// Whether there is one of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.meta(name).join("meta.json").exists()
    }

    /// All, by name. A file that is no context is left out.
    pub(crate) fn all(&self) -> Vec<Context> {
        let entries = fs::read_dir(self.directory.join("contexts/meta")).into_iter().flatten().flatten();
        let read = |path: PathBuf| serde_json::from_slice(&fs::read(path.join("meta.json")).ok()?).ok();
        let mut all: Vec<Context> = entries.filter_map(|entry| read(entry.path())).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// One of them.
    pub(crate) fn read(&self, name: &str) -> Result<Context> {
        let path = self.meta(name).join("meta.json");
        let bytes = fs::read(&path).map_err(|error| {
            let why = format!("open {}: {}", path.display(), reason(&error).to_lowercase());
            Error::new(format!("context \"{name}\": context not found: {why}"))
                .hint("`skiff context ls` lists them, `skiff context create` makes one.")
        })?;
        serde_json::from_slice(&bytes).map_err(|error| Error::new(format!("cannot read {}: {error}", path.display())))
    }

    /// Keeps one.
    pub(crate) fn write(&self, context: &Context) -> Result<()> {
        let text = serde_json::to_vec(context)
            .map_err(|error| Error::new(format!("cannot write the context {}: {error}", context.name)))?;
        let directory = self.meta(&context.name);
        fs::create_dir_all(&directory).during("make the directory", directory.display())?;
        replace(&directory.join("meta.json"), &text)
    }

    /// The certificates and keys of one, by the names of their files.
    pub(crate) fn read_tls(&self, name: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let directory = self.tls(name).join("docker");
        let files = fs::read_dir(&directory).into_iter().flatten().flatten();
        let read = |entry: fs::DirEntry| {
            let bytes = fs::read(entry.path()).during("read", entry.path().display())?;
            Ok((entry.file_name().to_string_lossy().into_owned(), bytes))
        };
        let mut files: Vec<(String, Vec<u8>)> = files.map(read).collect::<Result<_>>()?;
        files.sort();
        Ok(files)
    }

    /// Gives one the certificates of another.
    pub(crate) fn copy_tls(&self, from: &str, to: &str) -> Result<()> {
        self.read_tls(from)?.into_iter().try_for_each(|(file, bytes)| self.write_tls(to, &file, &bytes))
    }

    /// Keeps a certificate or key of one: `ca.pem`, `cert.pem`, `key.pem`.
    pub(crate) fn write_tls(&self, name: &str, file: &str, bytes: &[u8]) -> Result<()> {
        let directory = self.tls(name).join("docker");
        fs::create_dir_all(&directory).during("make the directory", directory.display())?;
        replace(&directory.join(file), bytes)
    }

    /// Forgets one.
    pub(crate) fn remove(&self, name: &str) -> Result<()> {
        remove(&self.meta(name))?;
        self.remove_tls(name)
    }

    /// Forgets the certificates of one.
    pub(crate) fn remove_tls(&self, name: &str) -> Result<()> {
        remove(&self.tls(name))
    }

    /// The one that is used when nobody names another.
    pub(crate) fn current(&self) -> Option<String> {
        let name = self.config().ok()?.get("currentContext")?.as_str()?.to_owned();
        Some(name).filter(|name| !name.is_empty())
    }

    /// Makes one the current one; nothing stands for the default.
    pub(crate) fn set_current(&self, name: Option<&str>) -> Result<()> {
        let mut config = self.config()?;
        match name {
            Some(name) => config.insert("currentContext".to_owned(), name.into()),
            None => config.remove("currentContext"),
        };
        let path = self.directory.join("config.json");
        let text = serde_json::to_vec_pretty(&config)
            .map_err(|error| Error::new(format!("cannot write {}: {error}", path.display())))?;
        fs::create_dir_all(&self.directory).during("make the directory", self.directory.display())?;
        replace(&path, &text)
    }

    /// A text among the settings; an empty one is none.
    pub(crate) fn setting(&self, name: &str) -> Result<Option<String>> {
        let config = self.config()?;
        Ok(config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned))
    }

    /// A setting that is no text; null when there is none.
    pub(crate) fn value(&self, name: &str) -> Result<Value> {
        Ok(self.config()?.remove(name).unwrap_or_default())
    }

    /// The texts by name that are one setting, such as `HttpHeaders`.
    pub(crate) fn settings(&self, name: &str) -> Result<Vec<(String, String)>> {
        let config = self.config()?;
        let map = config.get(name).and_then(Value::as_object);
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        Ok(map.into_iter().flatten().filter_map(text).collect())
    }

    /// docker's `config.json`, of which we change one member and leave the others.
    fn config(&self) -> Result<Map<String, Value>> {
        let path = self.directory.join("config.json");
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Map::new()),
            answer => answer.during("read", path.display())?,
        };
        serde_json::from_slice(&bytes).map_err(|error| Error::new(format!("cannot read {}: {error}", path.display())))
    }
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).during("remove", directory.display()),
        _ => Ok(()),
    }
}

/// Writes a file, all or nothing, for its owner's eyes only.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let part = path.with_extension(format!("part.{}", std::process::id()));
    let open = || fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&part);
    let written = open().and_then(|mut file| file.write_all(bytes)).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written.during("write", path.display())
}

/// The name of a context's directory.
fn digest(name: &str) -> String {
    Sha256::digest(name.as_bytes()).iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_is_the_one_that_docker_uses() {
        // printf far | sha256sum
        assert_eq!(digest("far"), "512eea46ceb3921dff4363c7069d89d4964d1d9fccaa0f411851a7aa60a5c868");
    }

    #[test]
    fn contexts_come_and_go_and_the_rest_of_the_settings_stays() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().to_owned());
        fs::write(directory.path().join("config.json"), r#"{"auths":{"x":{}}}"#).unwrap();
        let mut context = Context { name: "far".to_owned(), ..Context::default() };
        context.set_host("tcp://10.0.0.1:2376");
        store.write(&context).unwrap();
        assert_eq!(store.read("far").unwrap(), context);
        assert_eq!(store.all(), [context]);
        store.set_current(Some("far")).unwrap();
        assert_eq!(store.current().as_deref(), Some("far"));
        store.set_current(None).unwrap();
        assert_eq!(store.config().unwrap().keys().collect::<Vec<_>>(), ["auths"]);
        store.remove("far").unwrap();
        assert!(!store.has("far") && store.remove("far").is_ok());
    }
}
