//! One daemon per root: two on the same directories would give the same address to two containers.
//!
//! The lock is flock(2) on a file in the data root, so it ends with the process however that ends, and no left-over file
//! can keep a daemon from starting. The pid inside is only for the message and for people.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation::NonBlockingLockExclusive;
use rustix::io::Errno;

/// Held for as long as the daemon lives.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Closing it gives the lock back.
    _file: File,
}

impl Lock {
    /// Takes the lock of `root`, which is made if it is missing. Refused with the pid of the daemon that has it.
    pub(crate) fn take(root: &Path) -> Result<Self> {
        std::fs::create_dir_all(root).with_context(|| format!("cannot make the directory {}", root.display()))?;
        let path = root.join("skiffd.lock");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match rustix::fs::flock(&file, NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => bail!(taken(root, &mut file)),
            Err(errno) => return Err(errno).with_context(|| format!("cannot lock {}", path.display())),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { _file: file })
    }
}

fn taken(root: &Path, file: &mut File) -> String {
    let mut pid = String::new();
    let _ = file.read_to_string(&mut pid);
    let (root, pid) = (root.display(), pid.trim());
    format!(
        "cannot use {root}: the skiffd with pid {pid} already does\n\
         Stop that one (kill {pid}), or give this one its own --data-root, --exec-root and --host."
    )
}

/// The file that tells scripts the daemon's pid. Removed when the daemon ends in order.
#[derive(Debug)]
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes this process's pid to `path`.
    pub(crate) fn write(path: PathBuf) -> Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        }
        std::fs::write(&path, std::process::id().to_string())
            .with_context(|| format!("cannot write the pid file {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_with_the_pid_of_the_first() {
        let root = tempfile::tempdir().unwrap();
        let first = Lock::take(root.path()).unwrap();
        let refusal = Lock::take(root.path()).unwrap_err().to_string();
        assert!(refusal.contains(&format!("pid {}", std::process::id())), "{refusal}");
        drop(first);
        Lock::take(root.path()).unwrap();
    }
}
