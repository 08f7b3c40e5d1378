//! How orders are carried out on disk, with descriptors only.
//!
//! Three things make it safe. A directory is found once, by the resolver, and from then on it is a descriptor: what is
//! made in it is made with one component and cannot go elsewhere. Nothing is opened that was there before: a file is
//! made new (`O_EXCL`), and what stood in its place is removed first. And no link is followed in the last component,
//! ever (`O_NOFOLLOW`, `AT_SYMLINK_NOFOLLOW`).
//!
//! What makes it quick is the same: one directory stays open for as long as members go into it, so a file costs six
//! system calls (openat, write, fchown, fchmod, utimensat, close) and no walk from the top.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek as _, SeekFrom, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use namespaces::{Context, Failure, Result, Root};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Stat, Timestamps, XattrFlags, fsetxattr, ftruncate, linkat, makedev, mkdirat,
    mknodat, openat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::orders::{Order, Place, from_top};
use super::{Rules, attributes, shown};
use crate::archive::{Archive, Member, MemberKind};

/// overlayfs.rst: a directory with this attribute shows nothing of the layers below.
const OPAQUE: &str = "trusted.overlay.opaque";
const USER_OPAQUE: &str = "user.overlay.opaque";
/// Bytes of names of directories whose times are set at the end.
const NAMES: usize = 64 << 20;
/// How data is copied.
const BUFFER: usize = 1 << 17;

/// How a directory is opened: if somebody has put a link in its place, the call fails.
const OPEN_DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// How a file is made: it must be new. `O_EXCL` also refuses a link that stands there, wherever it leads.
const NEW_FILE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A directory that is being filled.
pub(super) struct Tree<'a> {
    root: &'a Root,
    rules: &'a Rules,
    /// The directory of the last order. Archives go directory by directory, so the next one is usually there as well.
    here: Option<(PathBuf, OwnedFd)>,
    /// Directories get their times at the end, because each file that is put into one changes it.
    times: Vec<(Place, Timestamps)>,
    /// How many bytes of names `times` has; see [`NAMES`].
    names: usize,
    /// The time of the layer's own top directory, when the archive has a member for it.
    top: Option<Timestamps>,
    /// Where data stays between the archive and the file.
    buffer: Vec<u8>,
}

impl<'a> Tree<'a> {
    /// An empty tree below `root`.
    pub(super) fn new(root: &'a Root, rules: &'a Rules) -> Self {
        Self { root, rules, here: None, times: Vec::new(), names: 0, top: None, buffer: vec![0; BUFFER] }
    }

    /// Does what the order says. `data` gives the content of a file.
    pub(super) fn carry_out(&mut self, order: &Order, member: &Member, data: &mut Archive<impl Read>) -> Result<()> {
        let owner = self.rules.owner;
        match order {
            Order::File { at } => self.file(at, member, data),
            Order::Directory { at: Some(at) } => self.directory(at, member),
            Order::Directory { at: None } if self.rules.whiteouts => self.top(member),
            Order::Symlink { at } => {
                let target = OsStr::from_bytes(&member.link);
                self.make(at, |parent, name| symlinkat(target, parent, name))?;
                attributes::set_at(self.enter(&at.directory)?, &at.name, member, owner)
            }
            Order::HardLink { at, of } => self.hard_link(at, of),
            Order::Node { at } => {
                self.make(at, |parent, name| node(parent, name, member))?;
                attributes::set_at(self.enter(&at.directory)?, &at.name, member, owner)
            }
            Order::Whiteout { at } => self.whiteout(at),
            Order::Opaque { directory } if self.rules.flatten => {
                let directory = self.enter(directory)?;
                let names = crate::changes::names(directory)?;
                names.iter().try_for_each(|name| remove(directory, name)).step("remove")
            }
            Order::Opaque { directory } => hide_below(self.enter(directory)?),
            // Files that are unpacked into a directory leave the directory itself as it is.
            Order::Skip | Order::Directory { at: None } => Ok(()),
        }
    }

    /// Sets the times of directories.
    pub(super) fn finish(self) -> Result<()> {
        for (place, times) in &self.times {
            // It may have been replaced since, or the way to it; then there is nothing to set.
            let Ok((parent, name)) = self.root.parent(&from_top(&place.path())) else { continue };
            if kind_at(parent.as_fd(), &name)?.is_some_and(|kind| kind == FileType::Directory) {
                utimensat(&parent, &name, times, AtFlags::SYMLINK_NOFOLLOW)
                    .during("set the time of", name.display())?;
            }
        }
        if let Some(times) = &self.top {
            utimensat(self.root, ".", times, AtFlags::empty()).step("set the time of the top directory")?;
        }
        Ok(())
    }

    /// A regular file. Of a sparse one only the data is written: what is jumped over is a hole, and takes no space.
    fn file(&mut self, at: &Place, member: &Member, data: &mut Archive<impl Read>) -> Result<()> {
        let mode = Mode::from_raw_mode(0o600);
        let fd = self.make(at, |parent, name| openat(parent, name, NEW_FILE, mode))?;
        let mut file = File::from(fd);
        for segment in member.sparse.iter().flatten() {
            file.seek(SeekFrom::Start(segment.offset)).step("unpack")?;
            self.copy(&mut data.by_ref().take(segment.length), &mut file)?;
        }
        if member.sparse.is_some() {
            ftruncate(&file, member.size).step("unpack")?;
        } else {
            self.copy(data, &mut file)?;
        }
        attributes::set(&file.into(), member, self.rules.owner)
    }

    /// Merges with a directory that is there; takes the place of anything else.
    fn directory(&mut self, at: &Place, member: &Member) -> Result<()> {
        let parent = self.enter(&at.directory)?;
        let there = kind_at(parent, &at.name)?;
        let hidden = self.rules.whiteouts && there == Some(FileType::CharacterDevice);
        if there.is_some_and(|kind| kind != FileType::Directory) {
            self.refuse_if("non-directory", "directory", at)?;
        }
        if there != Some(FileType::Directory) {
            self.make(at, |parent, name| mkdirat(parent, name, Mode::RWXU))?;
        }
        let parent = self.enter(&at.directory)?;
        let fd = openat(parent, &at.name, OPEN_DIRECTORY, Mode::empty()).step("unpack")?;
        attributes::set(&fd, member, self.rules.owner)?;
        if hidden {
            // A whiteout and then a directory of that name: the old one is gone, with all that was in it.
            hide_below(fd.as_fd())?;
        }
        self.names += at.directory.as_os_str().len() + at.name.len();
        if self.names > NAMES {
            return Err(Failure::new("unpack the archive", "the names of its directories are too long together"));
        }
        self.times.push((at.clone(), attributes::times(member)));
        // What follows is usually in it.
        self.here = Some((at.path(), fd));
        Ok(())
    }

    /// The top directory is there already; only its attributes come from the archive.
    fn top(&mut self, member: &Member) -> Result<()> {
        let fd = self.root.open_at(Path::new("/"), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        self.top = Some(attributes::times(member));
        attributes::set(&fd, member, self.rules.owner)
    }

    /// The other name must lead to a member of the same archive: a layer has no access to the layers below.
    /// The name that is linked to is resolved like any other, so it cannot lead out; and a link is made of the link
    /// itself, not of what it leads to (linkat(2) without `AT_SYMLINK_FOLLOW`). A member that is a hard link to itself
    /// is left as it is: to replace it would remove it.
    fn hard_link(&mut self, at: &Place, of: &Place) -> Result<()> {
        let (source, name) = self.root.parent(&from_top(&of.path()))?;
        let target = of.path().display().to_string();
        let wanted = statat(&source, &name, AtFlags::SYMLINK_NOFOLLOW).during("hard-link to", &target)?;
        if FileType::from_raw_mode(wanted.st_mode) == FileType::Directory {
            return Err(Failure::new("hard-link to", "it is a directory").on(target));
        }
        if let Some(there) = stat_at(self.enter(&at.directory)?, &at.name)?
            && (there.st_dev, there.st_ino) == (wanted.st_dev, wanted.st_ino)
        {
            return Ok(());
        }
        self.make(at, |parent, new| linkat(&source, &name, parent, new, AtFlags::empty()))
    }

    /// A character device 0:0 is what the overlay file system takes for a whiteout. Something of that name in this very
    /// layer is not what is meant (layer.md: whiteouts are about lower layers), but what is below it is.
    fn whiteout(&mut self, at: &Place) -> Result<()> {
        let flatten = self.rules.flatten;
        let parent = self.enter(&at.directory)?;
        if flatten {
            match remove(parent, &at.name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                removed => removed.step("remove")?,
            }
            self.here = None;
            return Ok(());
        }
        match kind_at(parent, &at.name)? {
            Some(FileType::Directory) => {
                hide_below(openat(parent, &at.name, OPEN_DIRECTORY, Mode::empty()).step("unpack")?.as_fd())
            }
            Some(_) => Ok(()),
            None => mknodat(parent, &at.name, FileType::CharacterDevice, Mode::empty(), 0).step("make the whiteout"),
        }
    }

    /// Makes something new at a place, and first removes what is there.
    fn make<T>(&mut self, at: &Place, make: impl Fn(BorrowedFd<'_>, &OsStr) -> Result<T, Errno>) -> Result<T> {
        match make(self.enter(&at.directory)?, &at.name) {
            Err(Errno::EXIST) => {}
            answer => return answer.step("unpack"),
        }
        if self.rules.keep_kinds && kind_at(self.enter(&at.directory)?, &at.name)? == Some(FileType::Directory) {
            self.refuse_if("directory", "non-directory", at)?;
        }
        remove(self.enter(&at.directory)?, &at.name).step("replace")?;
        // The descriptor that we keep may be of a directory that has just gone.
        self.here = None;
        make(self.enter(&at.directory)?, &at.name).step("unpack")
    }

    /// Docker's words, which clients look for.
    fn refuse_if(&self, there: &str, comes: &str, at: &Place) -> Result<()> {
        if !self.rules.keep_kinds {
            return Ok(());
        }
        let path = shown(from_top(&at.path()).as_os_str().as_bytes());
        let step = format!("overwrite {there} {path:?} with {comes}");
        Err(Failure::new(step, "they are not of the same kind").on(format!("{:?}", shown(at.name.as_bytes()))))
    }

    // ANCHOR: enter
    /// The directory, open; made when no member has made it, which archives may leave out.
    fn enter(&mut self, directory: &Path) -> Result<BorrowedFd<'_>> {
        if self.here.as_ref().is_none_or(|(path, _)| path != directory) {
            let path = from_top(directory);
            let flags = OFlags::RDONLY | OFlags::DIRECTORY;
            let fd = match self.root.open_at(&path, flags, Mode::empty()) {
                Err(failure) if failure.is(Errno::NOENT) => {
                    self.root.create_dir_all(&path, Mode::from_raw_mode(0o755))?;
                    self.root.open_at(&path, flags, Mode::empty())?
                }
                answer => answer?,
            };
            refuse_too_deep(&fd)?;
            self.here = Some((directory.to_owned(), fd));
        }
        let here = self.here.as_ref().map(|(_, fd)| fd.as_fd());
        here.ok_or_else(|| Failure::new("unpack", "no directory is open"))
    }
    // ANCHOR_END: enter

    /// All of `data` into `file`. A read error is the archive's, a write error the disk's: only the second has an
    /// errno.
    fn copy(&mut self, data: &mut impl Read, file: &mut File) -> Result<()> {
        loop {
            match data.read(&mut self.buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => file.write_all(self.buffer.get(..length).unwrap_or_default()).step("unpack")?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).step("unpack"),
            }
        }
    }
}

/// Links in an archive can lead deeper and deeper, to a tree that nobody can remove again. The kernel can say where a
/// descriptor is as long as that fits into `PATH_MAX`, about 2000 levels.
fn refuse_too_deep(directory: &OwnedFd) -> Result<()> {
    match rustix::fs::readlink(format!("/proc/self/fd/{}", directory.as_raw_fd()), Vec::new()) {
        Err(Errno::NAMETOOLONG) => Err(Failure::new("unpack", "its directories are nested too deeply")),
        _ => Ok(()),
    }
}

/// Hides what the layers below have in this directory.
fn hide_below(directory: BorrowedFd<'_>) -> Result<()> {
    match fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty()) {
        // In a user namespace only `user.` attributes can be set, and overlays are mounted with `userxattr` there.
        Err(Errno::PERM) => fsetxattr(directory, USER_OPAQUE, b"y", XattrFlags::empty()),
        set => set,
    }
    .step("make the directory opaque")
    .map_err(|failure| failure.hint("The data directory's file system must have trusted extended attributes."))
}

/// mknod(2). Whether the container may use the device is for its device rules to say (chapter 2), not for the layer.
fn node(parent: BorrowedFd<'_>, name: &OsStr, member: &Member) -> Result<(), Errno> {
    let kind = match member.kind {
        MemberKind::CharDevice => FileType::CharacterDevice,
        MemberKind::BlockDevice => FileType::BlockDevice,
        _ => FileType::Fifo,
    };
    mknodat(parent, name, kind, Mode::RWXU, makedev(member.device.0, member.device.1))
}

/// What is there under this name: `None` is nothing. Links are not followed.
fn kind_at(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Option<FileType>> {
    Ok(stat_at(parent, name)?.map(|stat| FileType::from_raw_mode(stat.st_mode)))
}

/// The same with all of stat(2).
fn stat_at(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Option<Stat>> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        answer => answer.map(Some).step("look at"),
    }
}

/// Removes a file, or a directory with everything in it, without following anything.
/// The tree is no deeper than [`refuse_too_deep`] allows, so this recursion ends before the stack does.
fn remove(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Err(Errno::ISDIR) => {}
        answer => return Ok(answer?),
    }
    let directory = openat(parent, name, OPEN_DIRECTORY, Mode::empty())?;
    for entry in rustix::fs::Dir::read_from(&directory)? {
        let entry = entry?;
        let child = OsStr::from_bytes(entry.file_name().to_bytes());
        if child != "." && child != ".." {
            remove(directory.as_fd(), child)?;
        }
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}
