//! How a record is written: to a temporary file, synced, renamed. A reader sees the old record or the new one, never half
//! of one; a crash in between leaves a `.tmp` file that nobody reads.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use namespaces::{Context, Failure};
use serde::{Serialize, de::DeserializeOwned};

/// What a record must survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the engine: the rename alone. For what the kernel also knows, or what a reboot makes worthless.
    Crash,
    /// A power failure as well: file and directory are synced. For what somebody asked for and expects to find again.
    Power,
}

/// Writes `value` as JSON that a person can read, replacing what was there. The directory must exist.
pub fn write<T: Serialize>(path: &Path, value: &T, durability: Durability) -> Result<(), Failure> {
    let mut json = serde_json::to_vec_pretty(value).during("write", path.display())?;
    json.push(b'\n');
    replace(path, &json, durability).during("write", path.display())
}

fn replace(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let temporary = temporary(path);
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    if durability == Durability::Power {
        file.sync_data()?;
    }
    fs::rename(&temporary, path)?;
    match (durability, path.parent()) {
        (Durability::Power, Some(directory)) => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

/// `state.json` as `state.json.tmp`: one writer per record at a time is the caller's promise.
fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

/// Reads a record; `None` when there is none.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).during("read", path.display()),
    };
    serde_json::from_slice(&bytes).during("understand the record", path.display()).map(Some)
}

/// Reads `DIRECTORY/*/FILE` for every sub-directory that has one. A directory without its record was never finished (the
/// record is written last) and is skipped; one that cannot be understood is skipped with a warning, so that one bad
/// file does not keep the whole engine from starting.
pub fn scan<T: DeserializeOwned>(directory: &Path, file: &str) -> Result<Vec<(PathBuf, T)>, Failure> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).during("list", directory.display()),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.during("list", directory.display())?.path();
        match read(&path.join(file)) {
            Ok(Some(value)) => found.push((path, value)),
            Ok(None) => {}
            Err(failure) if failure.errno == Some(rustix::io::Errno::NOTDIR.raw_os_error()) => {}
            Err(failure) => tracing::warn!("{failure}; skipped"),
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_leaves_no_temporary_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.json");
        assert_eq!(read::<u32>(&path).unwrap(), None);
        write(&path, &7, Durability::Crash).unwrap();
        write(&path, &8, Durability::Power).unwrap();
        assert_eq!(read::<u32>(&path).unwrap(), Some(8));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn scan_skips_what_was_not_finished() {
        let home = tempfile::tempdir().unwrap();
        for name in ["good", "half", "empty"] {
            fs::create_dir(home.path().join(name)).unwrap();
        }
        fs::write(home.path().join("good/config.json"), "1").unwrap();
        fs::write(home.path().join("half/config.json"), "{\"a\":").unwrap();
        fs::write(home.path().join("stray"), "").unwrap();
        let found = scan::<u32>(home.path(), "config.json").unwrap();
        assert_eq!(found, [(home.path().join("good"), 1)]);
    }

    #[test]
    fn a_missing_directory_has_no_records() {
        assert!(scan::<u32>(Path::new("/no/such/place"), "x").unwrap().is_empty());
    }
}
