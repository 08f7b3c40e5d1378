//! One entry of a directory, whatever its kind, copied with everything that belongs to it: owner, permission bits,
//! extended attributes, times. Nothing is ever followed: every name is one component below a descriptor.
//!
//! Files are opened with `O_NOFOLLOW`, new ones with `O_EXCL`, so that neither an image with a link in the wrong place
//! nor a running container that makes one in time can turn a name into a path. `O_NONBLOCK` is for the file that turns
//! out to be a FIFO after all: opening it would wait for ever.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::{Errno, Result};

/// Opens the directory `name` for reading.
pub(crate) fn open_directory(parent: impl AsFd, name: &CStr) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// A regular file: content, then everything else.
pub(crate) fn copy_file(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> std::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut source = File::from(rustix::fs::openat(from, name, flags, Mode::empty())?);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut target = File::from(rustix::fs::openat(to, name, flags, Mode::RUSR | Mode::WUSR)?);
    std::io::copy(&mut source, &mut target)?;
    Ok(copy_metadata(&source, &target, stat)?)
}

/// A symbolic link, as a link. Where it leads does not matter.
pub(crate) fn copy_link(from: BorrowedFd<'_>, to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<()> {
    let target = rustix::fs::readlinkat(from, name, Vec::new())?;
    rustix::fs::symlinkat(&target, to, name)?;
    own(to, name, stat)?;
    rustix::fs::utimensat(to, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
}

/// A device node or a FIFO. A socket belongs to a process, and is left out. The permission bits are given to mknod(2),
/// since there is no descriptor to set them on later; the child's umask is 0 at this time.
pub(crate) fn copy_node(to: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<()> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    if kind == FileType::Socket {
        return Ok(());
    }
    rustix::fs::mknodat(to, name, kind, Mode::from_raw_mode(stat.st_mode & 0o7777), stat.st_rdev)?;
    own(to, name, stat)?;
    rustix::fs::utimensat(to, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
}

/// Owner, extended attributes, permission bits and times, in the one order that keeps them: changing the owner clears
/// set-user-id bits and file capabilities, and everything changes the times.
pub(crate) fn copy_metadata(from: impl AsFd, to: impl AsFd, stat: &Stat) -> Result<()> {
    rustix::fs::fchown(&to, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    copy_attributes(from, &to)?;
    rustix::fs::fchmod(&to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    rustix::fs::futimens(&to, &times(stat))
}

/// Extended attributes (xattr(7)): file capabilities, access control lists, a user's own. A file system that has no
/// such attribute does without it.
fn copy_attributes(from: impl AsFd, to: impl AsFd) -> Result<()> {
    let mut names = vec![0_u8; 65_536];
    let length = match rustix::fs::flistxattr(&from, &mut names) {
        Err(Errno::NOTSUP) => return Ok(()),
        length => length?,
    };
    names.truncate(length);
    // 64 kB is the most that a value can have.
    let mut value = vec![0_u8; 65_536];
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let length = rustix::fs::fgetxattr(&from, name, &mut value)?;
        let content = value.get(..length).unwrap_or_default();
        match rustix::fs::fsetxattr(&to, name, content, XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// The owner of what cannot be opened: a link, a device.
fn own(directory: BorrowedFd<'_>, name: &CStr, stat: &Stat) -> Result<()> {
    let (user, group) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::chownat(directory, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
}

/// As utimensat(2) wants them. A build tool that compares times is not surprised by its own image.
fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or_default(),
    };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}
