//! What the kernel says of one file, as a member of an archive.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use namespaces::{Context, Result};
use rustix::fs::{FileType, Stat, fgetxattr, flistxattr, lgetxattr, llistxattr, major, minor, readlinkat};
use rustix::io::Errno;

use crate::archive::{Member, MemberKind};

/// The most that the list of a file's attributes takes, and that one value takes (xattr(7)).
const XATTRS: usize = 65_536;
/// The overlay's own notes, for trusted and for unprivileged mounts, are no part of the file.
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// The member for what `stat` describes, without what takes further calls. A directory's name ends with a slash.
/// `None` is a socket: it belongs to a process and means nothing without it.
pub(super) fn member(stat: &Stat, name: &[u8]) -> Option<Member> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => MemberKind::File,
        FileType::Directory => MemberKind::Directory,
        FileType::Symlink => MemberKind::Symlink,
        FileType::CharacterDevice => MemberKind::CharDevice,
        FileType::BlockDevice => MemberKind::BlockDevice,
        FileType::Fifo => MemberKind::Fifo,
        _ => return None,
    };
    let mut name = name.to_vec();
    if kind == MemberKind::Directory && !name.ends_with(b"/") {
        name.push(b'/');
    }
    let is_device = matches!(kind, MemberKind::CharDevice | MemberKind::BlockDevice);
    Some(Member {
        name,
        kind,
        size: if kind == MemberKind::File { u64::try_from(stat.st_size).unwrap_or_default() } else { 0 },
        mode: stat.st_mode & 0o7777,
        uid: u64::from(stat.st_uid),
        gid: u64::from(stat.st_gid),
        mtime: (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or_default()),
        device: if is_device { (major(stat.st_rdev), minor(stat.st_rdev)) } else { (0, 0) },
        ..Member::default()
    })
}

/// Where a symbolic link leads.
pub(super) fn link(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Vec<u8>> {
    Ok(readlinkat(parent, name, Vec::new()).step("read the link")?.into_bytes())
}

/// The extended attributes of an open file, by name.
pub(super) fn xattrs(file: impl AsFd) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    collect(|list| flistxattr(&file, list), |name, value| fgetxattr(&file, name, value))
}

/// The extended attributes of what cannot be opened without doing something to it: links, devices, FIFOs. There is no
/// call with a directory and a name before Linux 6.13; the directory's name in /proc stands in for it.
pub(super) fn xattrs_at(parent: BorrowedFd<'_>, name: &OsStr) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let path = PathBuf::from(format!("/proc/self/fd/{}", parent.as_raw_fd())).join(name);
    collect(|list| llistxattr(&path, list), |name, value| lgetxattr(&path, name, value))
}

/// The list, and the value of each. Sorted, because file systems list in any order. What cannot be read (it has just been
/// removed, or the file system has no attributes) is not there.
fn collect(
    list: impl FnOnce(&mut [u8]) -> Result<usize, Errno>,
    value: impl Fn(&OsStr, &mut [u8]) -> Result<usize, Errno>,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut names = vec![0; XATTRS];
    let length = match list(&mut names) {
        Ok(0) | Err(Errno::OPNOTSUPP | Errno::NOENT) => return Ok(Vec::new()),
        length => length.step("list the attributes of")?,
    };
    let mut found = Vec::new();
    let mut buffer = vec![0; XATTRS];
    for name in names.get(..length).unwrap_or_default().split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if OVERLAY.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        match value(OsStr::from_bytes(name), &mut buffer) {
            Ok(length) => found.push((name.to_vec(), buffer.get(..length).unwrap_or_default().to_vec())),
            Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::NOENT) => {}
            Err(errno) => return Err(errno).step("read the attributes of"),
        }
    }
    found.sort();
    Ok(found)
}
