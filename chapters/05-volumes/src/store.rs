//! [`Store`]: where named volumes live.
//!
//! ```text
//! volumes/                0711
//!   data/                 0711   one directory per volume, its name
//!     volume.json                what is remembered
//!     _data/              0755   what the containers see
//!     filling                    while it is filled from an image, see `copy_up.rs`
//! ```
//!
//! A volume appears and disappears by one rename(2), so there is no moment at which half of one exists:
//!
//! | a crash | leaves | the next [`Store::open`] |
//! |---|---|---|
//! | while one is made | `.new-…` with any part of it | removes it |
//! | after the rename | the volume | finds it |
//! | while one is removed | `.removed-…` with what is left | goes on removing it |
//!
//! The record is synced before the rename and the directory after it (fsync(2)): after a power failure too a volume is
//! there with its record, or not at all. Its data is the container's to sync.
//!
//! Nothing is kept in memory. Whoever changes a record by hand is believed at the next look.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use namespaces::{Context as _, Failure, Result};
use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use crate::driver::{Driver, Local, no_such_driver};
use crate::record::{NewVolume, Volume};

pub(crate) const RECORD: &str = "volume.json";
const DATA: &str = "_data";

/// Names of what is being made or removed start with this, which no volume's name can.
const UNFINISHED: &str = ".";

/// The volumes of one engine.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    drivers: Vec<Arc<dyn Driver>>,
}

impl Store {
    /// The store in the directory `root`, made if missing, without what a crash left unfinished.
    ///
    /// One engine at a time has a store open: what is unfinished is taken for left over.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        let made = DirBuilder::new().recursive(true).mode(0o711).create(&root);
        made.during("make the directory of volumes", root.display())?;
        let root = root.canonicalize().during("find the directory of volumes", root.display())?;
        let store = Self { root, drivers: vec![Arc::new(Local)] };
        for name in store.entries()?.into_iter().filter(|name| name.starts_with(UNFINISHED)) {
            let left_over = store.root.join(name);
            fs::remove_dir_all(&left_over).during("remove the unfinished volume", left_over.display())?;
        }
        Ok(store)
    }

    /// The same store with one more driver.
    #[must_use]
    pub fn with_driver(mut self, driver: Arc<dyn Driver>) -> Self {
        self.drivers.push(driver);
        self
    }

    /// The driver of this name; the empty name is `local`.
    ///
    /// # Errors
    /// There is none.
    pub fn driver(&self, name: &str) -> Result<&dyn Driver> {
        let name = if name.is_empty() { "local" } else { name };
        let found = self.drivers.iter().find(|driver| driver.name() == name);
        found.map(AsRef::as_ref).ok_or_else(|| no_such_driver(name, &self.drivers()))
    }

    /// The names of all drivers.
    pub fn drivers(&self) -> Vec<&'static str> {
        self.drivers.iter().map(|driver| driver.name()).collect()
    }

    /// Makes a volume. One of the same name that exists is returned as it is, if it is no different in what was asked.
    ///
    /// # Errors
    /// A name that cannot be; a driver or a driver option that is not supported; an existing volume with another driver
    /// or other options.
    pub fn create(&self, wanted: &NewVolume) -> Result<Volume> {
        let name = match &wanted.name {
            Some(name) => name.clone(),
            None => random_name()?,
        };
        validate_name(&name)?;
        let driver = self.driver(&wanted.driver)?;
        driver.check(&wanted.options)?;
        if let Some(existing) = self.get(&name)? {
            return same(existing, wanted);
        }
        let volume = Volume {
            data: self.root.join(&name).join(DATA),
            anonymous: wanted.name.is_none(),
            name,
            driver: driver.name().to_owned(),
            labels: wanted.labels.clone(),
            options: wanted.options.clone(),
            created_at: Timestamp::now(),
        };
        self.publish(&volume, driver)?;
        // What is there now, which somebody else may have made meanwhile from a request of the same name.
        self.get(&volume.name)?.ok_or_else(|| {
            Failure::new("make the volume", "a directory without a record is in its place")
                .on(self.root.join(&volume.name).display())
                .hint("It is not the engine's. Move it away, or choose another name.")
        })
    }

    /// The volume `name`, if there is one.
    pub fn get(&self, name: &str) -> Result<Option<Volume>> {
        validate_name(name)?;
        let path = self.root.join(name).join(RECORD);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.during("read the record of the volume", name)?,
        };
        let mut volume: Volume =
            serde_json::from_slice(&text).during("read the record of the volume", path.display())?;
        volume.data = self.root.join(name).join(DATA);
        Ok(Some(volume))
    }

    /// The volume `name`.
    pub fn inspect(&self, name: &str) -> Result<Volume> {
        self.get(name)?.ok_or_else(|| no_such(name))
    }

    /// All volumes, by name.
    pub fn list(&self) -> Result<Vec<Volume>> {
        let mut names: Vec<String> = self.entries()?.into_iter().filter(|name| validate_name(name).is_ok()).collect();
        names.sort();
        names.iter().filter_map(|name| self.get(name).transpose()).collect()
    }

    /// Removes a volume and its data. Whether a container uses it, the caller knows.
    pub fn remove(&self, name: &str) -> Result<()> {
        validate_name(name)?;
        let doomed = self.root.join(format!("{UNFINISHED}removed-{}", random_name()?));
        match fs::rename(self.root.join(name), &doomed) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_such(name)),
            renamed => renamed.during("remove the volume", name)?,
        }
        // Follows no symbolic link, whatever a container put there.
        fs::remove_dir_all(&doomed).during("remove the data of the volume", name)
    }

    /// Makes the volume under an unfinished name and renames it, so that it appears complete or not at all.
    fn publish(&self, volume: &Volume, driver: &dyn Driver) -> Result<()> {
        let step = "make the volume";
        let unfinished = self.root.join(format!("{UNFINISHED}new-{}", random_name()?));
        let made = fill(&unfinished, volume, driver).and_then(|()| {
            let published = self.root.join(&volume.name);
            rustix::fs::renameat_with(CWD, &unfinished, CWD, &published, RenameFlags::NOREPLACE)
                .during(step, &volume.name)?;
            sync_directory(&self.root).during(step, &volume.name)
        });
        if made.is_err() {
            let _ = fs::remove_dir_all(&unfinished);
        }
        match made {
            Err(failure) if failure.is(Errno::EXIST) => Ok(()),
            made => made,
        }
    }

    /// Names of everything in the store's directory, in any order.
    fn entries(&self) -> Result<Vec<String>> {
        let names = || -> std::io::Result<Vec<String>> {
            fs::read_dir(&self.root)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
        };
        names().during("list the volumes in", self.root.display())
    }
}

/// Whether `name` can be a volume's: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, at most 255 bytes. It becomes a directory's name, so
/// this is also what keeps `..` and `/` out. One letter is too short because `c:/data` would be a path of Windows.
///
/// # Errors
/// In docker's words, which clients look for.
pub fn validate_name(name: &str) -> Result<()> {
    let refused = |cause: &str| Err(Failure::new("use the volume name", cause).on(format!("{name:?}")));
    if name.len() == 1 {
        return refused("volume name is too short, names should be at least two alphanumeric characters");
    }
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    match (first && rest, name.len()) {
        (true, ..=255) => Ok(()),
        (true, _) => refused("it is longer than 255 characters"),
        (false, _) => refused(&format!(
            "{name:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are \
             allowed. If you intended to pass a host directory, use absolute path"
        )),
    }
}

/// The record and an empty data directory, in `directory`.
fn fill(directory: &Path, volume: &Volume, driver: &dyn Driver) -> Result<()> {
    let step = "make the volume";
    let text = serde_json::to_vec_pretty(volume).during(step, &volume.name)?;
    DirBuilder::new().mode(0o711).create(directory).during(step, directory.display())?;
    DirBuilder::new().mode(0o755).create(directory.join(DATA)).during(step, directory.display())?;
    // Its owner is part of being whole.
    driver.made(&Volume { data: directory.join(DATA), ..volume.clone() })?;
    let write = || -> std::io::Result<()> {
        let mut record = File::create_new(directory.join(RECORD))?;
        record.write_all(&text)?;
        record.sync_all()?;
        sync_directory(directory)
    };
    write().during(step, &volume.name)
}

/// Carries `ENOENT`, by which callers tell it from a failure of the disk.
fn no_such(name: &str) -> Failure {
    let failure =
        Failure::new("find the volume", "no such volume").on(name).hint("See which there are: skiff volume ls.");
    Failure { errno: Some(Errno::NOENT.raw_os_error()), ..failure }
}

/// Labels may differ, as in docker: they are taken from whoever came first. So may options and a driver that nobody asked
/// for: `-v data:/d` means the volume of that name, whatever it is.
fn same(existing: Volume, wanted: &NewVolume) -> Result<Volume> {
    let driver = matches!(wanted.driver.as_str(), "" | "local") || wanted.driver == existing.driver;
    if driver && (wanted.options.is_empty() || wanted.options == existing.options) {
        return Ok(existing);
    }
    Err(Failure {
        errno: Some(Errno::EXIST.raw_os_error()),
        ..Failure::new("make the volume", "it exists with other options or another driver")
    }
    .on(&existing.name)
    .hint("Remove it first, or choose another name."))
}

/// 64 hexadecimal digits.
fn random_name() -> Result<String> {
    let mut bytes = [0_u8; 32];
    rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::empty())
        .step("get random bytes for a name")?;
    let digits = |byte: &u8| [byte >> 4, byte & 0xf].map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0'));
    Ok(bytes.iter().flat_map(digits).collect())
}

/// A rename is on the disk when its directory is.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("volumes")).unwrap();
        (directory, store)
    }

    fn named(name: &str) -> NewVolume {
        NewVolume { name: Some(name.into()), ..NewVolume::default() }
    }

    #[test]
    fn a_volume_is_made_found_listed_and_removed() {
        let (_directory, store) = store();
        let labels = [("tier".to_owned(), "db".to_owned())].into();
        let made = store.create(&NewVolume { labels, ..named("data") }).unwrap();
        assert!(made.data.is_dir() && made.data.ends_with("volumes/data/_data"));
        assert_eq!(store.inspect("data").unwrap(), made);
        assert_eq!(store.create(&named("data")).unwrap(), made, "making it again changes nothing");
        store.create(&named("alpha")).unwrap();
        let names: Vec<String> = store.list().unwrap().into_iter().map(|volume| volume.name).collect();
        assert_eq!(names, ["alpha", "data"]);
        store.remove("data").unwrap();
        assert!(store.get("data").unwrap().is_none());
        assert!(store.remove("data").unwrap_err().is(Errno::NOENT));
    }

    #[test]
    fn the_record_is_for_people() {
        let (_directory, store) = store();
        let made = store.create(&named("data")).unwrap();
        let text = fs::read_to_string(made.data.with_file_name(RECORD)).unwrap();
        insta::with_settings!({ filters => [(r"\d{4}-\d\d-\d\dT[^\x22]+", "[time]")] }, {
            insta::assert_snapshot!(text, @r#"
            {
              "name": "data",
              "driver": "local",
              "labels": {},
              "options": {},
              "created_at": "[time]",
              "anonymous": false
            }
            "#);
        });
    }

    #[test]
    fn an_anonymous_volume_has_64_digits() {
        let (_directory, store) = store();
        let made = store.create(&NewVolume::default()).unwrap();
        assert!(made.anonymous && made.name.len() == 64);
        assert_eq!(store.list().unwrap(), [made]);
    }

    #[test]
    fn a_crash_leaves_nothing_that_is_seen_again() {
        let (_directory, store) = store();
        fs::create_dir_all(store.root.join(".new-x/_data")).unwrap();
        fs::create_dir_all(store.root.join(".removed-x/_data/deep")).unwrap();
        fs::create_dir_all(store.root.join("no-record")).unwrap();
        let again = Store::open(store.root.clone()).unwrap();
        assert_eq!(again.list().unwrap(), []);
        assert_eq!(again.entries().unwrap(), ["no-record"]);
    }

    #[test]
    fn removing_follows_no_link() {
        let (directory, store) = store();
        let outside = directory.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "kept").unwrap();
        let made = store.create(&named("data")).unwrap();
        std::os::unix::fs::symlink(&outside, made.data.join("link")).unwrap();
        store.remove("data").unwrap();
        assert!(outside.join("file").exists());
    }

    #[test]
    fn names_that_would_be_paths() {
        for name in ["", "a", ".", "..", "../etc", "a/b", "/etc", ".hidden", "-x", "a b", "ä1", &"x".repeat(256)] {
            assert!(validate_name(name).is_err(), "{name}");
        }
        for name in ["ab", "0b", "my_data.v1-x", &"x".repeat(255)] {
            validate_name(name).unwrap();
        }
    }

    #[test]
    fn a_driver_that_is_not_there_and_options_that_cannot_be() {
        let (_directory, store) = store();
        let options = [("type".to_owned(), "nfs".to_owned())].into();
        let failures = [
            store.create(&NewVolume { driver: "flocker".into(), ..named("data") }),
            store.create(&NewVolume { options, ..named("data") }),
        ];
        insta::assert_snapshot!(failures.map(|made| made.unwrap_err().to_string()).join("\n"), @r#"
        cannot use the volume driver flocker: there is no such driver
        cannot use the volume option device: missing required option: "device"
        "#);
        assert_eq!(store.list().unwrap(), []);
    }

    #[test]
    fn the_owner_is_there_from_the_beginning() {
        use std::os::unix::fs::MetadataExt as _;
        let (_directory, store) = store();
        let option = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let options: std::collections::BTreeMap<_, _> =
            [option("uid", "1000"), option("gid", "50"), option("mode", "2770")].into();
        let made = store.create(&NewVolume { options: options.clone(), ..named("data") }).unwrap();
        let data = fs::metadata(&made.data).unwrap();
        assert_eq!((data.uid(), data.gid(), data.mode() & 0o7777), (1000, 50, 0o2770));
        assert_eq!(store.create(&named("data")).unwrap(), made, "whoever asks for the name gets it as it is");
        assert_eq!(store.create(&NewVolume { options, ..named("data") }).unwrap(), made);
        let other = [option("uid", "7")].into();
        assert!(store.create(&NewVolume { options: other, ..named("data") }).unwrap_err().is(Errno::EXIST));
    }
}
