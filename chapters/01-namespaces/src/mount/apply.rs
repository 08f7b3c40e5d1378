//! The doing of a [`Mount`]: make it detached, set its attributes, find its place, attach it.
//!
//! ```text
//!  fsopen ─ fsconfig… ─ fsmount ─┐                                    a new file system
//!                                ├─ mount_setattr ─ move_mount ─▶ place
//!  open_tree(OPEN_TREE_CLONE) ───┘                                    a bind
//! ```
//!
//! Between the calls there is a descriptor of a mount that nobody can see yet. The old mount(2) made it visible first and
//! needed a second call to make a bind read-only.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};

use super::{Attributes, Mount};
use crate::failure::{Cause, Context, Failure, Result};
use crate::root::Root;
use crate::sys;

/// What a container may have mounted over in `/proc`: the files that lxcfs and its like provide.
const PROC_FILES: [&str; 11] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

/// A new instance of a file system, in its place.
///
/// `/proc` and `/sys` have to be exactly there: the masks of a later step are put by name on what is in them.
pub(super) fn new(mount: &Mount, kind: &str, options: &[String], root: &Root) -> Result<()> {
    let tree = new_file_system(kind, options, mount.attributes)?;
    let place = match kind {
        "proc" | "sysfs" => own_place(mount, root)?,
        _ => place(mount, &tree, root)?,
    };
    attach(&tree, &place).during("mount", mount.target.display())
}

// ANCHOR: bind
/// A piece of the host's tree, in its place. The copy is made before the place is looked for, so that a mount whose source and
/// target are the same path sees the source as it was.
pub(super) fn bind(mount: &Mount, path: &Path, recursive: bool, root: &Root) -> Result<()> {
    let step = "open the source of a mount";
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = rustix::mount::open_tree(CWD, path, flags).during(step, path.display())?;
    put(mount, path, &tree, root)
}

/// A detached copy of the tree at `path`, in its place.
pub(super) fn put(mount: &Mount, path: &Path, tree: &OwnedFd, root: &Root) -> Result<()> {
    set_attributes(tree, mount.attributes).during("set the attributes of the mount at", mount.target.display())?;
    let both_sides = |failure| mismatch(failure, path, &mount.target);
    let place = place(mount, tree, root).map_err(both_sides)?;
    attach(tree, &place).during("mount", mount.target.display()).map_err(both_sides)
}
// ANCHOR_END: bind

/// A directory over a file and the reverse, for which the kernel has two answers (`ENOTDIR`, and `EINVAL` from move_mount(2));
/// what matters to a person is which two things do not fit.
fn mismatch(failure: Failure, source: &Path, target: &Path) -> Failure {
    if !failure.is(Errno::NOTDIR) && !failure.is(Errno::INVAL) {
        return failure;
    }
    let hint = "Are you trying to mount a directory onto a file (or vice-versa)? Each goes only on its like; \
                look whether the path on the host is what you expect.";
    Errno::NOTDIR.failure("mount").on(format!("{} on {}", source.display(), target.display())).hint(hint)
}

/// A new, detached mount of the file system `kind` with its own `options` (fsopen(2), fsconfig(2), fsmount(2)).
///
/// The failure carries what the file system itself said, which says more than `EINVAL`.
pub fn new_file_system(kind: &str, options: &[String], attributes: Attributes) -> Result<OwnedFd> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).during("open the file system", kind);
    let context = context.map_err(|failure| {
        failure.hint_on(Errno::NODEV, "This kernel does not have it. `modprobe` with its name loads what is a module.")
    })?;
    let made = configure(&context, kind, options).and_then(|()| {
        // The bits fit: fsmount(2) takes the lower half of what mount_setattr(2) takes.
        let flags = attributes.flags() | attributes.below.set;
        let flags = MountAttrFlags::from_bits_retain(u32::try_from(flags).unwrap_or_default());
        rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)
    });
    let tree = made.map_err(|errno| {
        let mut failure = errno.failure("make a new").on(kind);
        if let Some(said) = complaint(&context) {
            failure.cause = Some(format!("{} ({said})", failure.cause.unwrap_or_default()));
        }
        failure
    })?;
    // fsmount knows the flags but not the propagation.
    if attributes.propagation.is_some() {
        set_attributes(&tree, attributes).during("set the propagation of a new", kind)?;
    }
    Ok(tree)
}

/// Attaches a detached mount to `place`; both are descriptors, so no name is looked up (move_mount(2)).
pub fn attach(tree: impl AsFd, place: impl AsFd) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(tree, "", place, "", flags)
}

/// Applies what was asked for and leaves the rest as the source has it ([`Attributes::calls`]).
pub(crate) fn set_attributes(tree: impl AsFd, attributes: Attributes) -> Result<(), Errno> {
    attributes.calls().into_iter().try_for_each(|(recursive, attr)| sys::mount_setattr(&tree, recursive, attr))
}

/// Tells the file system its options, one by one, and has it made. No length limit: mount(2) had one page for all of them.
fn configure(context: &OwnedFd, kind: &str, options: &[String]) -> Result<(), Errno> {
    // The source is only what /proc/self/mountinfo shows, but "none" helps nobody.
    if !options.iter().any(|option| option.starts_with("source=")) {
        rustix::mount::fsconfig_set_string(context, "source", kind)?;
    }
    for option in options {
        match option.split_once('=') {
            Some((key, value)) => rustix::mount::fsconfig_set_string(context, key, value)?,
            None => rustix::mount::fsconfig_set_flag(context, option)?,
        }
    }
    rustix::mount::fsconfig_create(context)
}

/// Every file system can say more than an errno, by writing lines to its context; reading the context gets them one by one.
/// This is the last line a file system wrote to its context about what is wrong, without its severity letter (fsopen(2)).
fn complaint(context: &OwnedFd) -> Option<String> {
    let mut line = [0_u8; 256];
    let mut last = None;
    while let Ok(length) = rustix::io::read(context, &mut line) {
        let text = String::from_utf8_lossy(line.get(..length)?).trim().to_owned();
        last = text.split_once(' ').map(|(_, message)| message.to_owned());
    }
    last
}

/// The place a mount goes to, resolved in the root, made if missing: a directory for a directory, a file for anything else.
fn place(mount: &Mount, tree: &OwnedFd, root: &Root) -> Result<OwnedFd> {
    let stat = rustix::fs::fstat(tree).during("look at the source of the mount at", mount.target.display())?;
    let place = if FileType::from_raw_mode(stat.st_mode).is_dir() {
        root.create_dir_all(&mount.target, Mode::from_raw_mode(0o755))?
    } else {
        root.create_file(&mount.target, Mode::from_raw_mode(0o644))?
    };
    refuse_disguise(mount, tree, &place)?;
    Ok(place)
}

/// The place of `/proc` and `/sys`: exactly there, not where a link of the image leads.
fn own_place(mount: &Mount, root: &Root) -> Result<OwnedFd> {
    match root.resolve_exactly(&mount.target) {
        Err(failure) if failure.is(Errno::NOENT) => {
            root.create_dir_all(&mount.target, Mode::from_raw_mode(0o755))?;
            root.resolve_exactly(&mount.target)
        }
        found => found,
    }
}

/// Refuses a mount over procfs that is not procfs: the kernel's answers are trusted by what runs later, in the container
/// and outside (CVE-2019-16884, CVE-2019-19921). Judged by what is there, not by the name that led there.
fn refuse_disguise(mount: &Mount, tree: &OwnedFd, place: &OwnedFd) -> Result<()> {
    let on_proc = |fd: &OwnedFd| rustix::fs::fstatfs(fd).map(|stat| stat.f_type == rustix::fs::PROC_SUPER_MAGIC);
    let step = "look at the place of the mount at";
    if !on_proc(place).during(step, mount.target.display())? || on_proc(tree).during(step, mount.target.display())? {
        return Ok(());
    }
    let normal: PathBuf = mount.target.components().collect();
    if PROC_FILES.iter().any(|allowed| normal == Path::new(allowed)) {
        return Ok(());
    }
    let cause = "it is inside /proc, which may not be disguised";
    Err(Failure::new("mount", cause).on(mount.target.display()).hint("Mount it at a path outside /proc."))
}
