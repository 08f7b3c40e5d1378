//! Binds that the launcher prepares, because the container's process could not: binds whose files appear to belong to others
//! (mount_setattr(2), "ID-mapped mounts"), and binds of a container with a user namespace.
//!
//! ```text
//!  on disk: uid 1000 ── map 1000 0 1 ──▶ through this mount: uid 0        and back, when a file is made
//! ```
//!
//! A container with a user namespace has ids from 100000 on; a volume of the host has files of 0 and 1000. Without a map
//! they all belong to nobody inside. The map is a property of the mount and not of the files, so nothing is changed on disk.
//!
//! ```text
//!  launcher                                              child, in its own user namespace
//!  clone3(NEWUSER) ─ maps ─ open /proc/N/ns/user         sees the tree as an open descriptor,
//!  open_tree ─ mount_setattr(IDMAP, that namespace) ───▶ attaches it: move_mount
//! ```
//!
//! It is given as a user namespace with the same maps, and it takes rights over the file system that are the host's: so the
//! launcher prepares these mounts, detached, and the container's process finds them as open descriptors.
//!
//! Root of a user namespace is an ordinary user of the host, who may not enter a directory of mode 0700 on the way to the
//! source of a bind. Whoever asked for the bind may; so all binds of such a container are opened by the launcher.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::OpenTreeFlags;

use super::{Mount, Propagation, Source, apply};
use crate::failure::{Context, Failure, Result};
use crate::idmap::namespace_with_maps;
use crate::namespaces::{IdMap, Namespace, Namespaces, open_namespace};
use crate::root::Root;
use crate::sys::{self, MountAttr};

/// The mapped mounts of a container, by their places in its list.
#[derive(Debug, Default)]
pub(crate) struct Prepared(Vec<(usize, OwnedFd)>);

impl Prepared {
    /// Makes them. Nothing to do, and nothing done, for nearly every container.
    ///
    /// `outside` is how mounts travel between the host and the container.
    pub(crate) fn of(mounts: &[Mount], namespaces: &Namespaces, outside: Propagation) -> Result<Self> {
        let mut prepared = Vec::new();
        for (index, mount) in mounts.iter().enumerate() {
            match &mount.source {
                Source::MappedBind { path, recursive, map_below, uid_map, gid_map } => {
                    let namespace = maps(namespaces, uid_map, gid_map)?;
                    let tree = detached(path, *recursive, travel(mount, outside))?;
                    prepared.push((index, map_ids(tree, path, *map_below, &namespace)?));
                }
                Source::Bind { path, recursive } if is_ours_to_open(namespaces) => {
                    prepared.push((index, detached(path, *recursive, travel(mount, outside))?));
                }
                _ => {}
            }
        }
        Ok(Self(prepared))
    }

    /// Mounts number `index` of the list, in the container's process.
    pub(crate) fn apply(&self, index: usize, mount: &Mount, root: &Root) -> Result<()> {
        match (&mount.source, self.0.iter().find(|(of, _)| *of == index)) {
            (Source::MappedBind { path, .. } | Source::Bind { path, .. }, Some((_, tree))) => {
                apply::put(mount, path, tree, root)
            }
            _ => mount.apply(root),
        }
    }
}

/// Whether the launcher has more rights on the way to a source than the container's process will have, and may use them.
fn is_ours_to_open(namespaces: &Namespaces) -> bool {
    namespaces.user != Namespace::Host && rustix::process::geteuid().is_root()
}

/// For stages that have mounts of their own and not in the container's list.
impl Mount {
    /// Host side: the detached tree of a mapped bind that has maps. `None` for every other mount, which needs no preparing.
    pub fn prepare(&self) -> Result<Option<OwnedFd>> {
        let Source::MappedBind { path, recursive, map_below, uid_map, gid_map } = &self.source else { return Ok(None) };
        let namespace = maps(&Namespaces::default(), uid_map, gid_map)?;
        let tree = detached(path, *recursive, travel(self, Propagation::Private))?;
        map_ids(tree, path, *map_below, &namespace).map(Some)
    }

    /// Child side: attaches what [`Mount::prepare`] made.
    pub fn apply_prepared(&self, tree: Option<&OwnedFd>, root: &Root) -> Result<()> {
        match (&self.source, tree) {
            (Source::MappedBind { path, .. }, Some(tree)) => apply::put(self, path, tree, root),
            _ => self.apply(root),
        }
    }
}

/// A user namespace with the maps; without maps, that of the container.
fn maps(container: &Namespaces, uid_map: &[IdMap], gid_map: &[IdMap]) -> Result<OwnedFd> {
    match (uid_map.is_empty() && gid_map.is_empty(), &container.user) {
        (false, _) => namespace_with_maps(uid_map, gid_map),
        (true, Namespace::New) => namespace_with_maps(&container.uid_map, &container.gid_map),
        (true, Namespace::Join(path)) => open_namespace(path),
        (true, Namespace::Host) => {
            let cause = "the mount has no maps, and the container no user namespace whose maps it could take";
            Err(Failure::new("map the ids of a mount", cause))
        }
    }
}

/// What a prepared tree hears of the host's mounts. The copy of a shared mount is a peer of it, and what a container unmounts
/// there would vanish on the host; so it is a slave where mounts shall travel in, and private otherwise.
fn travel(mount: &Mount, root: Propagation) -> Propagation {
    match mount.attributes.propagation.unwrap_or(root) {
        Propagation::Slave | Propagation::Shared => Propagation::Slave,
        Propagation::Private | Propagation::Unbindable => Propagation::Private,
    }
}

/// A detached copy of the tree at `path`.
fn detached(path: &Path, recursive: bool, travel: Propagation) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let step = "open the source of a mount";
    let tree = rustix::mount::open_tree(CWD, path, flags).during(step, path.display())?;
    let cut = MountAttr { propagation: travel.bits(), ..MountAttr::default() };
    sys::mount_setattr(&tree, true, cut).during(step, path.display())?;
    Ok(tree)
}

/// The same with its ids mapped by `namespace`.
fn map_ids(tree: OwnedFd, path: &Path, below: bool, namespace: &OwnedFd) -> Result<OwnedFd> {
    let userns_fd = u64::from(namespace.as_fd().as_raw_fd().cast_unsigned());
    let attr = MountAttr { set: libc::MOUNT_ATTR_IDMAP, userns_fd, ..MountAttr::default() };
    let hint = "The file system must support it (FS_ALLOW_IDMAP), and no mount can be mapped twice.";
    sys::mount_setattr(&tree, below, attr)
        .during("map the ids of the mount of", path.display())
        .map_err(|failure| failure.hint_on(rustix::io::Errno::INVAL, hint))?;
    Ok(tree)
}
