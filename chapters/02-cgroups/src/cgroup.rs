//! [`Cgroup`]: one group of processes, whichever version the machine has.
//!
//! A group is a directory, one in each tree. Making it is `mkdir`, limiting it is writing its files, removing it is
//! `rmdir`. Files are opened relative to the directory's descriptor, so that a path is walked once per tree and not
//! once per value.
//!
//! ```no_run
//! use cgroups::{Cgroup, Hierarchies, Limits, Plan};
//!
//! # fn main() -> namespaces::Result<()> {
//! let hierarchies = Hierarchies::discover()?;
//! let plan = Plan::new("skiff", "web", Limits { memory: Some(64 << 20), ..Limits::default() });
//! let group = Cgroup::create(&hierarchies, &plan)?;
//! println!("{}", group.stats()?);
//! group.kill()?;
//! Cgroup::remove(&hierarchies, &plan.path)?;
//! # Ok(())
//! # }
//! ```

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use namespaces::{Context as _, Failure, Result};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::hierarchy::{Controller, Hierarchies, Version};
use crate::limits::Limits;

/// A group that is wanted: where, and how limited. It travels to the process that makes the group, and stays in the
/// record, because the path alone is enough to remove it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Plan {
    /// Below the root of every tree: `skiff/ID`. What is missing above the last component is made, and stays.
    pub path: PathBuf,
    /// What the processes may use together.
    pub limits: Limits,
}

impl Plan {
    /// The group `name` below the group `parent` (docker's `--cgroup-parent`), with `limits`. Both are seen from the
    /// root of the trees and not from the group of the engine itself: an engine that is limited must not limit its
    /// containers.
    pub fn new(parent: impl AsRef<Path>, name: impl AsRef<Path>, limits: Limits) -> Self {
        let parent = parent.as_ref();
        Self { path: parent.strip_prefix("/").unwrap_or(parent).join(name), limits }
    }
}

/// One group, open: a directory descriptor in each tree.
#[derive(Debug)]
pub struct Cgroup {
    pub(crate) version: Version,
    pub(crate) path: PathBuf,
    pub(crate) dirs: Vec<Dir>,
}

/// The group's directory in one tree.
#[derive(Debug)]
pub(crate) struct Dir {
    pub(crate) fd: OwnedFd,
    pub(crate) controllers: Vec<Controller>,
}

impl Cgroup {
    /// The existing group `path`.
    pub fn open(hierarchies: &Hierarchies, path: &Path) -> Result<Self> {
        let path = checked(path)?;
        let mut dirs = Vec::with_capacity(hierarchies.mounts.len());
        for hierarchy in &hierarchies.mounts {
            let fd = match open_dir(&hierarchy.mount_point.join(&path)) {
                // Only those with a limit on huge pages are in this tree.
                Err(failure) if hierarchy.controllers == [Controller::Hugetlb] && failure.is(Errno::NOENT) => continue,
                fd => fd?,
            };
            dirs.push(Dir { fd, controllers: hierarchy.controllers.clone() });
        }
        Ok(Self { version: hierarchies.version, path, dirs })
    }

    /// Below the root of every tree.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which interface its files have.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The text of one of the group's files. `None` when the kernel has no such file, or the machine no such
    /// controller.
    pub fn read(&self, controller: Controller, file: &str) -> Result<Option<String>> {
        let Some(dir) = self.dir(controller) else { return Ok(None) };
        read_at(dir, file).during("read", format!("{file} of the cgroup /{}", self.path.display()))
    }

    /// Its directory in the tree of `controller`; in version 2 the one that has everything.
    pub(crate) fn dir(&self, controller: Controller) -> Option<BorrowedFd<'_>> {
        if self.version == Version::V2 {
            return self.dirs.first().map(|dir| dir.fd.as_fd());
        }
        self.dirs.iter().find(|dir| dir.controllers.contains(&controller)).map(|dir| dir.fd.as_fd())
    }

    /// Its first directory, for what every tree can answer.
    pub(crate) fn any_dir(&self) -> Result<BorrowedFd<'_>> {
        let none = || Failure::new("use the cgroup", "the machine has no tree for it").on(self.path.display());
        self.dirs.first().map(|dir| dir.fd.as_fd()).ok_or_else(none)
    }
}

/// `path` without a leading `/`, if it stays below the root of the trees. The path comes from a record or a request,
/// and an empty one or one with `..` would name somebody else's group.
pub(crate) fn checked(path: &Path) -> Result<PathBuf> {
    let relative = path.strip_prefix("/").unwrap_or(path);
    let plain = relative.components().all(|component| matches!(component, Component::Normal(_)));
    if plain && relative.components().next().is_some() {
        return Ok(relative.to_path_buf());
    }
    Err(Failure::new("use the cgroup", "it is not a path below the root of the cgroup trees")
        .on(path.display())
        .hint("Give a path such as skiff/NAME, without \"..\"."))
}

/// A directory of a tree. Reading it and opening files below it need no more than `O_PATH`.
pub(crate) fn open_dir(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).during("open the cgroup", path.display())
}

pub(crate) fn open_to_write(dir: BorrowedFd<'_>, file: &str) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat(dir, file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())
}

/// Writes one value into one file.
pub(crate) fn write_at(dir: BorrowedFd<'_>, file: &str, value: &str) -> rustix::io::Result<()> {
    rustix::io::write(open_to_write(dir, file)?, value.as_bytes()).map(|_| ())
}

/// Reads a whole file; `None` when there is none of this name.
pub(crate) fn read_at(dir: BorrowedFd<'_>, file: &str) -> std::io::Result<Option<String>> {
    let opened = match rustix::fs::openat(dir, file, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    File::from(opened).read_to_string(&mut text)?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_starts_at_the_root_of_the_trees() {
        for parent in ["skiff", "/skiff"] {
            assert_eq!(Plan::new(parent, "ab", Limits::default()).path, Path::new("skiff/ab"));
        }
    }

    #[test]
    fn paths_that_leave_or_name_nothing_are_refused() {
        for path in ["", "/", ".", "..", "skiff/../..", "/skiff/../x"] {
            assert!(checked(Path::new(path)).is_err(), "{path:?}");
        }
        assert_eq!(checked(Path::new("/skiff/ab")).unwrap(), Path::new("skiff/ab"));
    }
}
