//! `Root`: how a path inside a container is resolved without ever leaving it.
//!
//! A path that a container may have a say in is never handed to the kernel by name from outside, because a symbolic link
//! in it would be followed on the host. One resolver serves mounts, copy, unpack, export and volumes: openat2(2) with
//! `RESOLVE_IN_ROOT` and `RESOLVE_NO_MAGICLINKS`, then descriptors only. What CVE-2018-15664, CVE-2021-30465 and
//! CVE-2024-45310 have in common is a path that was checked and then used; here the check is the use.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::failure::Result;

/// A directory that paths cannot leave: `..` at the top stays at the top, absolute links start from it.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl Root {
    /// The directory at `path` on the host.
    pub fn open(path: &Path) -> Result<Self> {
        let _ = path;
        todo!()
    }

    /// A directory that is already open, `O_PATH` or not.
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Opens `path` (absolute or relative, both mean: from this root) with `flags`, following links inside the root.
    /// Add `OFlags::NOFOLLOW` to get the link itself (with `O_PATH`).
    pub fn open_at(&self, path: &Path, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let _ = (path, flags, mode);
        todo!()
    }

    /// `O_PATH` descriptor of what `path` leads to.
    pub fn resolve(&self, path: &Path) -> Result<OwnedFd> {
        self.open_at(path, OFlags::PATH, Mode::empty())
    }

    /// The directory that holds the last component of `path`, and that component unresolved: what to create, remove or
    /// stat without following it. The root itself gives `(root, ".")`.
    pub fn parent(&self, path: &Path) -> Result<(OwnedFd, OsString)> {
        let _ = path;
        todo!()
    }

    /// Makes the directory `path` and what is missing above it, one component at a time, links followed inside the root.
    /// Returns an `O_PATH` descriptor of it.
    pub fn create_dir_all(&self, path: &Path, mode: Mode) -> Result<OwnedFd> {
        let _ = (path, mode);
        todo!()
    }

    /// Makes the empty regular file `path` if nothing is there, and what is missing above it: a place to mount a file on.
    /// Returns an `O_PATH` descriptor of what is there now.
    pub fn create_file(&self, path: &Path, mode: Mode) -> Result<OwnedFd> {
        let _ = (path, mode);
        todo!()
    }

    /// Reads the regular file `path`, at most `limit` bytes; a FIFO, a device or a larger file is refused
    /// (CVE-2024-9676, CVE-2026-47262). `Ok(None)` when it does not exist.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
        let _ = (path, limit);
        todo!()
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
