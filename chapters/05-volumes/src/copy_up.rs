//! Copy-up: an empty volume begins with what the image has at the place where it is mounted, so that a database image
//! finds its prepared directory, with its owner, in a new volume.
//!
//! ```text
//! image                                  volume
//! /var/lib/db      70:70  0700     ──▶   _data        70:70  0700     the directory itself, too
//!   conf           70:70  0600           conf
//!   tool           0:0    4755           tool                         set-user-id bits and capabilities
//!   current -> 15                        current -> 15                a link stays a link
//!   15/one, 15/two: one file             15/one, 15/two: one file     hard links stay together
//! ```
//!
//! This happens inside the child, after the container's root is mounted and before the volume is mounted over it: only
//! then can the place be seen as the container would see it, with all layers of the image and no mount above.
//!
//! "Empty" is the whole condition, as in docker. There is no note of having copied: a volume that somebody has emptied
//! is filled again by the next container.
//!
//! The image is not trusted. The source is resolved inside the container's root, and below it only descriptors and
//! single names are used: a link in the image leads nowhere on the host (CVE-2022-23648). The volume is not trusted
//! either, because a container that has it mounted may be running. A volume with anything in it is left alone
//! (CVE-2020-1726).

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use namespaces::{Context as _, Failure, Result, Root};
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::copy_entry::{copy_file, copy_link, copy_metadata, copy_node, open_directory};
use crate::store::RECORD;

/// Directories inside each other. Each level holds descriptors open, and 1024 are often all that there are.
const MAX_DEPTH: usize = 256;

/// The mark of a copy under way, a file beside the volume's data.
const FILLING: &str = "filling";

/// Fills the volume whose data is in the host's directory `data` with what `root` has at `target`, if the volume is
/// empty. The top directory's owner, permission bits and attributes are copied as well.
///
/// Containers that start at the same time with the same volume take turns: the directory is locked (flock(2)) meanwhile.
/// If the copy fails, the volume is emptied again. If the process dies over it, the mark beside the data stays, by which
/// the next start knows that what is there is half a copy and nobody's data.
/// Returns whether anything was copied.
pub(crate) fn copy_up(root: &Root, target: &Path, data: &Path) -> Result<bool> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let source = match root.open_at(target, flags, Mode::empty()) {
        Err(failure) if failure.is(Errno::NOENT) || failure.is(Errno::NOTDIR) => return Ok(false),
        source => source?,
    };
    let mark = mark(data);
    // What stands for a volume elsewhere on the host may be a link: who made the volume wrote it so.
    let links = if mark.is_some() { OFlags::NOFOLLOW } else { OFlags::empty() };
    let volume = rustix::fs::open(data, flags | links, Mode::empty()).during("open the volume", data.display())?;
    rustix::fs::flock(&volume, FlockOperation::LockExclusive).during("lock the volume", data.display())?;
    if mark.as_ref().is_some_and(|mark| mark.exists()) {
        empty(data);
    }
    if !names(volume.as_fd()).during("list the volume", data.display())?.is_empty() {
        return Ok(false);
    }
    if let Some(mark) = &mark {
        std::fs::File::create(mark).during("mark the volume as being filled", mark.display())?;
    }
    let copied = Copy::new(source.as_fd(), &volume, target)
        .and_then(|mut copy| copy.directory(source.as_fd(), volume.as_fd(), Path::new(""), 0));
    if copied.is_err() {
        empty(data);
    }
    if let Some(mark) = &mark {
        std::fs::remove_file(mark).during("remove the mark", mark.display())?;
    }
    copied.map(|()| true)
}

/// Where the mark is: beside the data in the volume's own directory. A directory of the host that a volume stands for
/// (`o=bind`) has no place beside it that is ours, so there what a death leaves half filled stays so, as in docker.
fn mark(data: &Path) -> Option<PathBuf> {
    data.with_file_name(RECORD).exists().then(|| data.with_file_name(FILLING))
}

/// Fills the new file system `into` with what is in the directory `source`, and gives it that one's owner and mode: a tmpfs
/// that begins with what the image has at its place. `target` is its path in the container, for messages.
pub fn copy_directory(source: BorrowedFd<'_>, into: &OwnedFd, target: &Path) -> Result<()> {
    Copy::new(source, into, target)?.directory(source, into.as_fd(), Path::new(""), 0)
}

/// One copy under way.
struct Copy<'a> {
    /// For messages: where the source is in the container.
    target: &'a Path,
    /// File system of the source. A directory of another one is a mount, such as `/proc`, and not the image's.
    device: u64,
    /// The volume, as a place that paths cannot leave.
    volume: Root,
    /// Where the first name of each file with several names was copied to.
    first_names: HashMap<(u64, u64), PathBuf>,
}

impl<'a> Copy<'a> {
    /// Looks which file system the source is on.
    fn new(source: BorrowedFd<'_>, volume: &OwnedFd, target: &'a Path) -> Result<Self> {
        let device = rustix::fs::fstat(source).during("look at", target.display())?.st_dev;
        let volume = Root::from_fd(volume.try_clone().step("duplicate a descriptor")?);
        Ok(Self { target, device, volume, first_names: HashMap::new() })
    }

    /// Copies what is in `from`, then what belongs to `from` itself: the last entry still changes the time.
    fn directory(&mut self, from: BorrowedFd<'_>, to: BorrowedFd<'_>, path: &Path, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            let cause = format!("it has more than {MAX_DEPTH} directories inside each other");
            return Err(Failure::new("copy from the image", cause).on(self.target.display()));
        }
        for name in self.explain(names(from), path)? {
            let path = path.join(OsStr::from_bytes(name.to_bytes()));
            let stat = self.explain(rustix::fs::statat(from, &name, AtFlags::SYMLINK_NOFOLLOW), &path)?;
            self.entry(from, to, &name, &stat, &path, depth)?;
        }
        let stat = self.explain(rustix::fs::fstat(from), path)?;
        self.explain(copy_metadata(from, to, &stat), path)
    }

    /// One name, by the kind of what it names.
    fn entry(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        name: &CStr,
        stat: &Stat,
        path: &Path,
        depth: usize,
    ) -> Result<()> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if stat.st_dev != self.device => Ok(()),
            FileType::Directory => {
                self.explain(rustix::fs::mkdirat(to, name, Mode::RWXU), path)?;
                let inner_from = self.explain(open_directory(from, name), path)?;
                let inner_to = self.explain(open_directory(to, name), path)?;
                self.directory(inner_from.as_fd(), inner_to.as_fd(), path, depth + 1)
            }
            _ if stat.st_nlink > 1 && self.link_to_first_name(to, name, stat, path)? => Ok(()),
            FileType::RegularFile => {
                self.explain(copy_file(from, to, name, stat).map_err(|error| io_errno(&error)), path)
            }
            FileType::Symlink => self.explain(copy_link(from, to, name, stat), path),
            _ => self.explain(copy_node(to, name, stat), path),
        }
    }

    /// Makes `name` another name of what was copied before. Returns false for the first name of a file.
    fn link_to_first_name(&mut self, to: BorrowedFd<'_>, name: &CStr, stat: &Stat, path: &Path) -> Result<bool> {
        let Some(first) = self.first_names.get(&(stat.st_dev, stat.st_ino)) else {
            self.first_names.insert((stat.st_dev, stat.st_ino), path.to_path_buf());
            return Ok(false);
        };
        let (directory, first_name) = self.volume.parent(first)?;
        let linked = rustix::fs::linkat(&directory, first_name, to, name, AtFlags::empty());
        self.explain(linked, path).map(|()| true)
    }

    /// Names the file that it went wrong at, as the container would name it.
    fn explain<T>(&self, result: rustix::io::Result<T>, path: &Path) -> Result<T> {
        result.during("copy into the volume from the image's", self.target.join(path).display())
    }
}

/// What is in a directory, without itself and its parent.
fn names(directory: BorrowedFd<'_>) -> rustix::io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(directory)? {
        let name = entry?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    Ok(names)
}

/// The standard library wraps the kernel's answer; here it is taken out again.
fn io_errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// Best effort: the failure that led here is the one to report. Follows no links.
fn empty(data: &Path) {
    for entry in std::fs::read_dir(data).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = match entry.file_type() {
            Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(&path),
            _ => std::fs::remove_file(&path),
        };
    }
}
