//! [`Phase::Root`](crate::Phase::Root) and [`Phase::Pivot`](crate::Phase::Pivot): the directory becomes `/`.
//!
//! ```text
//!   before           bind            pivot_root(".", ".")       umount2(".", MNT_DETACH)
//!   / (host)         / (host)        / (image)                  / (image)
//!   └ rootfs         └ rootfs ← a    └ on top of it: (host)
//!                      mount now
//! ```
//!
//! chroot(2) would change one process's idea of `/` and leave the host's tree mounted where it is: whoever may call chroot
//! again, or still has a descriptor, gets back to it. After pivot_root(2) and the detaching of the old root the host's mounts
//! are not in the mount namespace any more.

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, UnmountFlags};

use crate::failure::{Context, Failure, Result};
use crate::mount::{self, Propagation};
use crate::root::Root;
use crate::stage::Child;
use crate::sys::{self, MountAttr};

/// Binds the directory on itself, with what is mounted below: pivot_root(2) takes only the root of a mount.
pub(super) fn bind(child: &mut Child<'_>) -> Result<()> {
    let path = &child.container.root.path;
    let step = "bind the root directory";
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, path, flags).during(step, path.display()).map_err(explain)?;
    let place = Root::open(path).map_err(explain)?;
    mount::attach(&tree, &place).during(step, path.display())?;
    child.root = Some(Root::from_fd(tree));
    Ok(())
}

/// Opens what a stage has mounted on [`RootFs::path`](crate::RootFs::path). Where `bind` ran, the tree it made is open already.
///
/// From here on the host's name for the root is not used any more.
pub(super) fn open(child: &mut Child<'_>) -> Result<()> {
    if child.root.is_none() {
        child.root = Some(Root::open(&child.container.root.path).map_err(explain)?);
    }
    Ok(())
}

/// For an `exec`: setns(2) into a mount namespace also moves `/` to the root of that namespace.
pub(super) fn open_entered(child: &mut Child<'_>) -> Result<()> {
    child.root = Some(Root::open("/".as_ref())?);
    Ok(())
}

// ANCHOR: pivot
/// pivot_root(2) with `.` twice, the form that its manual page recommends: no directory for the old root is needed.
///
/// What happens: the old root ends up mounted on top of the new one, from where it is unmounted. Nothing of
/// the host is left to go back to, which chroot(2) could not promise.
pub(super) fn pivot(child: &mut Child<'_>) -> Result<()> {
    let step = "make / of the root directory";
    let path = child.container.root.path.display();
    rustix::process::fchdir(child.root()?).during(step, &path)?;
    rustix::process::pivot_root(".", ".").during(step, &path).map_err(|failure| {
        failure
            .hint_on(Errno::INVAL, "It must be a mount whose parent is private; the host's / must not be an initramfs.")
    })?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).step("let go of the host's mounts")?;
    rustix::process::chdir("/").step("go to the new root")
}
// ANCHOR_END: pivot

/// For volumes that shall propagate (`rshared`, `rslave`).
///
/// A shared or slave root was private until now, because pivot_root(2) refuses a shared one.
pub(super) fn propagate(child: &mut Child<'_>) -> Result<()> {
    let wanted = child.container.root.propagation;
    if wanted == Propagation::Private {
        return Ok(());
    }
    let attr = MountAttr { propagation: wanted.bits(), ..MountAttr::default() };
    sys::mount_setattr(child.root()?, true, attr).step("set the propagation of the root")
}

/// The most common mistake about a root.
fn explain(failure: Failure) -> Failure {
    match failure.errno {
        Some(libc::ENOENT | libc::ENOTDIR) => failure.hint("The root file system must be an existing directory."),
        _ => failure,
    }
}
