//! Owner, mode, extended attributes, time: in this order, because a change of the owner takes away set-user-id bits and
//! file capabilities, and everything changes the time.

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use namespaces::{Context, Failure, Result};
use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown, fsetxattr, futimens, lsetxattr,
    utimensat,
};
use rustix::io::Errno;

use super::Owner;
use crate::archive::{Member, MemberKind};

/// The overlay file system keeps its own notes in attributes with this prefix. An image must not write them: they can
/// point to other files of other layers.
const OVERLAY: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];

/// For a file or directory that is open.
/// `fd` must be open for reading or writing: fchmod(2) and fsetxattr(2) refuse a descriptor that is only a place
/// (`O_PATH`).
pub(super) fn set(fd: &OwnedFd, member: &Member, owner: Owner) -> Result<()> {
    let (uid, gid) = ids(member, owner)?;
    fchown(fd, uid, gid).step("set the owner of")?;
    fchmod(fd, Mode::from_raw_mode(member.mode)).step("set the mode of")?;
    for (name, value) in wanted(member, owner) {
        tolerate(fsetxattr(fd, OsStr::from_bytes(name), value, XattrFlags::empty()), name)?;
    }
    futimens(fd, &times(member)).step("set the time of")
}

/// For what cannot be opened without doing something to it: links, devices, FIFOs. `name` is one component.
/// Extended attributes have no call with a directory and a name before Linux 6.13; the directory's name in /proc stands
/// in for it. It is our own descriptor, not a path that anybody could redirect.
pub(super) fn set_at(directory: BorrowedFd<'_>, name: &OsStr, member: &Member, owner: Owner) -> Result<()> {
    let (uid, gid) = ids(member, owner)?;
    let nofollow = AtFlags::SYMLINK_NOFOLLOW;
    chownat(directory, name, uid, gid, nofollow).step("set the owner of")?;
    if member.kind != MemberKind::Symlink {
        // We have just made it, so it is no link, which is what fchmodat(2) would follow.
        rustix::fs::chmodat(directory, name, Mode::from_raw_mode(member.mode), AtFlags::empty())
            .step("set the mode of")?;
    }
    let path = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
    for (attribute, value) in wanted(member, owner) {
        tolerate(lsetxattr(&path, OsStr::from_bytes(attribute), value, XattrFlags::empty()), attribute)?;
    }
    utimensat(directory, name, &times(member), nofollow).step("set the time of")
}

/// Both times are the modification time: an unpacked layer then does not depend on when it was unpacked.
pub(super) fn times(member: &Member) -> Timestamps {
    let time = Timespec { tv_sec: member.mtime.0, tv_nsec: i64::from(member.mtime.1) };
    Timestamps { last_access: time, last_modification: time }
}

/// The attributes that are set: all but the overlay's own, or those that anybody may set.
fn wanted(member: &Member, owner: Owner) -> impl Iterator<Item = (&[u8], &[u8])> {
    let all = member.xattrs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
    all.filter(move |(name, _)| !OVERLAY.iter().any(|own| name.starts_with(own)))
        .filter(move |(name, _)| owner != Owner::Ours || name.starts_with(b"user."))
}

/// A file system that cannot keep an attribute (`user.` on a link, SELinux labels without SELinux) is no reason to give
/// up: Docker does the same.
fn tolerate(answer: Result<(), Errno>, name: &[u8]) -> Result<()> {
    match answer {
        Err(Errno::OPNOTSUPP) => Ok(()),
        Err(Errno::PERM) if name.starts_with(b"user.") => Ok(()),
        answer => answer.step(&format!("set the attribute {} of", super::shown(name))),
    }
}

/// Ids are 32 bits; the last one means "leave it" to chown(2), as `None` does.
fn ids(member: &Member, owner: Owner) -> Result<(Option<Uid>, Option<Gid>)> {
    let id = |number| u32::try_from(number).ok().filter(|id| *id < u32::MAX);
    let (uid, gid) = match owner {
        Owner::Ours => return Ok((None, None)),
        Owner::Fixed(uid, gid) => (uid, gid),
        Owner::Archive => id(member.uid)
            .zip(id(member.gid))
            .ok_or_else(|| Failure::new("set the owner of", "a user or group id is out of range"))?,
    };
    Ok((Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))))
}
