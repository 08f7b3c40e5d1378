//! [`Phase::Restrict`](crate::Phase::Restrict): take away what the mounts gave too much of.
//!
//! procfs and sysfs were made when a machine had one administrator. Some of their files tell about the whole machine, some
//! give it orders, and no namespace changes that. They cannot be removed, but they can be covered: a mount hides what is
//! below it, and the container, without `CAP_SYS_ADMIN`, cannot unmount.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, OFlags, makedev};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;

use crate::failure::{Context, Failure, Result};
use crate::mount::{self, Attributes};
use crate::root::Root;
use crate::stage::Child;
use crate::sys::{self, MountAttr};

const READONLY: MountAttr = MountAttr { set: libc::MOUNT_ATTR_RDONLY, clear: 0, propagation: 0, userns_fd: 0 };

/// mount_setattr(2) on the mount at `/` alone: volumes below it have their own say.
///
/// The image below may be shared and read-only anyway; this keeps the container from writing to its own layer. With it go the
/// new file systems that had to be filled first.
pub(super) fn protect_root(child: &mut Child<'_>) -> Result<()> {
    for filled in child.filling.drain(..) {
        sys::mount_setattr(filled, false, READONLY).step("make a filled tmpfs read-only")?;
    }
    if !child.container.root.readonly {
        return Ok(());
    }
    sys::mount_setattr(child.root()?, false, READONLY).step("make the root read-only")
}

/// Hides each path: a file behind `/dev/null`, a directory behind an empty one. What does not exist needs no hiding, and what
/// exists depends on the kernel and on the machine.
///
/// Left out, `cat /proc/timer_list` in the container tells about every process of the host.
pub(super) fn mask_paths(child: &mut Child<'_>) -> Result<()> {
    let root = child.root()?;
    let (mut null, mut empty) = (None, None);
    for path in &child.container.masked_paths {
        let step = "mask";
        let Some(place) = find(root, path)? else { continue };
        let stat = rustix::fs::fstat(&place).during(step, path.display())?;
        if !FileType::from_raw_mode(stat.st_mode).is_dir() {
            let null = match &null {
                Some(fd) => fd,
                None => null.insert(open_null(root)?),
            };
            let tree = clone_of(null, false).during(step, path.display())?;
            mount::attach(tree, &place).during(step, path.display())?;
            continue;
        }
        // One file system serves all directories: the second mask is a bind of the first.
        let tree = match &empty {
            Some(first) => clone_of(first, false).during(step, path.display())?,
            None => mount::new_file_system("tmpfs", &[], Attributes { readonly: true, ..Attributes::CAUTIOUS })?,
        };
        mount::attach(&tree, &place).during(step, path.display())?;
        empty.get_or_insert(tree);
    }
    Ok(())
}

/// Binds each path on itself, read-only, with what is mounted below: `/proc/sys` can be read and not written.
///
/// Three calls per path: open_tree(2) copies the mount with that directory as its root, mount_setattr(2) makes the copy
/// read-only while it is attached nowhere, move_mount(2) puts it over the original.
pub(super) fn protect_paths(child: &mut Child<'_>) -> Result<()> {
    let root = child.root()?;
    for path in &child.container.readonly_paths {
        let step = "make read-only";
        let Some(place) = find(root, path)? else { continue };
        let tree = clone_of(&place, true).during(step, path.display())?;
        sys::mount_setattr(&tree, true, READONLY).during(step, path.display())?;
        mount::attach(tree, &place).during(step, path.display())?;
    }
    Ok(())
}

/// The place, if there is one. Resolved in the root: a mask for `/proc/keys` is wanted on what the container will open under
/// that name.
fn find(root: &Root, path: &Path) -> Result<Option<OwnedFd>> {
    match root.resolve(path) {
        Err(failure) if failure.is(Errno::NOENT) || failure.is(Errno::NOTDIR) => Ok(None),
        found => found.map(Some),
    }
}

/// A detached copy of the mount that `place` is on, with `place` as its root (open_tree(2), `OPEN_TREE_CLONE`).
fn clone_of(place: &OwnedFd, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(place, "", flags)
}

/// The container's `/dev/null`, if it is one. The image may have put anything there, and a mask that is not the null device
/// would hand the container the file behind it (CVE-2025-31133).
fn open_null(root: &Root) -> Result<OwnedFd> {
    let path = Path::new("/dev/null");
    let null = root.open_at(path, OFlags::PATH | OFlags::NOFOLLOW, rustix::fs::Mode::empty())?;
    let stat = rustix::fs::fstat(&null).during("look at", path.display())?;
    if FileType::from_raw_mode(stat.st_mode).is_char_device() && stat.st_rdev == makedev(1, 3) {
        return Ok(null);
    }
    let cause = "the container's /dev/null is not the null device (character 1:3)";
    Err(Failure::new("mask paths", cause).hint("Let the container have a /dev of its own with that device in it."))
}
