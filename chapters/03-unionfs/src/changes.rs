//! What a container changed, read from its upper directory: the list behind `docker diff`.
//!
//! The upper directory has everything that differs, so only it is walked, and the layers below are asked about the
//! names found there. Three things have to be understood (overlayfs.rst): a character device 0:0 is a whiteout; a
//! directory with `trusted.overlay.opaque` shows nothing from below; and a directory is copied up, unchanged, as soon
//! as something in it changes.
//!
//! A layer below may hide others below it in the same ways, so the walk takes along, for each directory, the layers
//! that show something there: those above the first one that has a file, a whiteout or an opaque directory of that
//! name.
//!
//! The walk is by descriptor and follows no link: the container may be running, and may be moving things about while it
//! is looked at. What is then listed may be neither its state before nor its state after, but never a file of the host.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fmt::{self, Display};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use namespaces::{Context, Failure, Result};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fgetxattr, openat, statat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::copied::mark::is_copied;

/// How deep a tree is followed. Each level keeps descriptors open.
const DEPTH: usize = 1000;
/// Directories are opened with this: a container may have put links anywhere.
const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// Absolute path inside the container.
    pub path: PathBuf,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// As `docker diff` prints it: `C /etc`.
impl Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.kind {
            ChangeKind::Changed => 'C',
            ChangeKind::Added => 'A',
            ChangeKind::Deleted => 'D',
        };
        write!(f, "{letter} {}", self.path.display())
    }
}

/// What happened to a path, by docker's letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChangeKind {
    /// `C`: it was there before and is different now.
    Changed,
    /// `A`: it is new.
    Added,
    /// `D`: it is gone.
    Deleted,
}

/// The changes of `upper` against the layers below (top one first), sorted by path.
pub fn changes(upper: &Path, lowers: &[PathBuf]) -> Result<Vec<Change>> {
    let open = |path: &PathBuf| openat(CWD, path, OPEN, Mode::empty()).during("open the layer", path.display());
    let below = lowers.iter().map(open).collect::<Result<Vec<_>>>()?;
    // A copied tree is what an upper directory would be that hides everything below it.
    let copied = is_copied(upper);
    let mut walk = Walk { found: BTreeSet::new(), copied };
    let level = Level { upper: open(&upper.to_owned())?, below, hidden: copied };
    walk.directory(Path::new("/"), &level, 0)?;
    Ok(walk.found.into_iter().collect())
}

/// One directory, in all layers that have it.
struct Level {
    upper: OwnedFd,
    /// Top one first. Those that another one hides are not here.
    below: Vec<OwnedFd>,
    /// Whether `upper`, or a directory above it, is opaque: what is below has been deleted.
    hidden: bool,
}

/// The walk so far.
struct Walk {
    found: BTreeSet<Change>,
    /// Whether files that are as they were are here as well (`copied.rs`).
    copied: bool,
}

impl Walk {
    /// Everything in one directory. Where what is below is hidden, names that only the layers below have were deleted.
    fn directory(&mut self, path: &Path, level: &Level, depth: usize) -> Result<()> {
        if depth > DEPTH {
            return Err(Failure::new("follow the directories in", "they are nested too deeply").on(path.display()));
        }
        let names = names(&level.upper)?;
        for name in &names {
            self.entry(&path.join(name), name, level, depth)
                .map_err(|failure| failure.on(path.join(name).display()))?;
        }
        if level.hidden {
            for name in level.below.iter().map(self::names).collect::<Result<Vec<_>>>()?.into_iter().flatten() {
                if !names.contains(&name) && visible(&level.below, &name)?.is_some() {
                    self.note(&path.join(&name), ChangeKind::Deleted);
                }
            }
        }
        Ok(())
    }

    /// One name: what it is now, what it was before, and, when it is a directory, what is in it.
    fn entry(&mut self, path: &Path, name: &OsStr, level: &Level, depth: usize) -> Result<()> {
        let Some(now) = look(&level.upper, name)? else { return Ok(()) };
        let before = visible(&level.below, name)?;
        match before {
            None if is_whiteout(&now) => {}
            None => self.note(path, ChangeKind::Added),
            Some(_) if is_whiteout(&now) => self.note(path, ChangeKind::Deleted),
            Some(before) if (is_directory(&now) || self.copied) && same(&now, &before) => {}
            Some(_) => self.note(path, ChangeKind::Changed),
        }
        if is_directory(&now) {
            let upper = openat(&level.upper, name, OPEN, Mode::empty()).step("open")?;
            let hidden = level.hidden || is_opaque(&upper)?;
            let next = Level { below: below(level, name)?, upper, hidden };
            self.directory(path, &next, depth + 1)?;
        }
        Ok(())
    }

    /// Notes a change. The same one twice (from two layers below) is one.
    fn note(&mut self, path: &Path, kind: ChangeKind) {
        self.found.insert(Change { path: path.to_owned(), kind });
    }
}

/// The directory `name` in the layers below: down to the first that has something else there, or hides the rest.
fn below(level: &Level, name: &OsStr) -> Result<Vec<OwnedFd>> {
    let mut found = Vec::new();
    for layer in &level.below {
        match openat(layer, name, OPEN, Mode::empty()) {
            Ok(directory) => {
                let last = is_opaque(&directory)?;
                found.push(directory);
                if last {
                    break;
                }
            }
            Err(Errno::NOENT) => {}
            Err(Errno::NOTDIR | Errno::LOOP) => break,
            Err(errno) => return Err(errno).step("open"),
        }
    }
    Ok(found)
}

/// What the layers below show under this name.
fn visible(layers: &[OwnedFd], name: &OsStr) -> Result<Option<Stat>> {
    for layer in layers {
        if let Some(stat) = look(layer, name)? {
            return Ok((!is_whiteout(&stat)).then_some(stat));
        }
    }
    Ok(None)
}

/// What a layer has under this name, itself and not what it leads to.
fn look(directory: &OwnedFd, name: &OsStr) -> Result<Option<Stat>> {
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        answer => answer.map(Some).step("look at"),
    }
}

/// The names in a directory, sorted, without `.` and `..`.
pub(crate) fn names(directory: impl AsFd) -> Result<BTreeSet<OsString>> {
    let mut names = BTreeSet::new();
    for entry in Dir::read_from(directory).step("list")? {
        let entry = entry.step("list")?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// overlayfs.rst: "A whiteout is created as a character device with 0/0 device number".
pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Whether the directory shows nothing of the layers below it. `x` as a value means something else (whiteouts as
/// attributes). An overlay in a user namespace has its notes in `user.` attributes.
pub(crate) fn is_opaque(directory: &OwnedFd) -> Result<bool> {
    let mut value = [0u8; 1];
    for name in ["trusted.overlay.opaque", "user.overlay.opaque"] {
        match fgetxattr(directory, name, &mut value) {
            Ok(_) if value == *b"y" => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => {}
            Err(errno) => return Err(errno).step("look at"),
        }
    }
    Ok(false)
}

/// Whether a file was copied and nothing else: copying keeps its kind, mode, owner, time and, but for directories, size.
fn same(now: &Stat, before: &Stat) -> bool {
    let facts = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_mtime, stat.st_mtime_nsec, stat.st_rdev);
    facts(now) == facts(before) && (is_directory(now) || now.st_size == before.st_size)
}

/// Every name in an upper directory with the overlay's signs as the kernel keeps them, for a person to read: `whiteout`,
/// `opaque`, or what kind of file it is.
pub fn show_upper(upper: &Path) -> Result<Vec<String>> {
    fn walk(directory: &OwnedFd, path: &Path, lines: &mut Vec<String>) -> Result<()> {
        for name in names(directory)? {
            let Some(stat) = look(directory, &name)? else { continue };
            let path = path.join(&name);
            if !is_directory(&stat) {
                let kind = match FileType::from_raw_mode(stat.st_mode) {
                    _ if is_whiteout(&stat) => "whiteout (a character device 0:0)",
                    FileType::RegularFile => "regular file",
                    FileType::Symlink => "symbolic link",
                    _ => "device, socket or FIFO",
                };
                lines.push(format!("{}  {kind}", path.display()));
                continue;
            }
            let inner = openat(directory, &name, OPEN, Mode::empty()).during("open", path.display())?;
            let opaque = if is_opaque(&inner)? { ", opaque (the attribute overlay.opaque)" } else { "" };
            lines.push(format!("{}/  directory{opaque}", path.display()));
            walk(&inner, &path, lines)?;
        }
        Ok(())
    }
    let mut lines = Vec::new();
    walk(&openat(CWD, upper, OPEN, Mode::empty()).during("open", upper.display())?, Path::new(""), &mut lines)?;
    Ok(lines)
}
