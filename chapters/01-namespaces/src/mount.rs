//! One mount: what, where, how. Made by the new mount API (fsopen(2), open_tree(2), mount_setattr(2), move_mount(2)), and
//! always onto a descriptor that [`Root`] resolved, never onto a path.
//!
//! The new API separates what mount(2) does in one go: make a mount that is attached nowhere, set its attributes, attach
//! it. So a read-only bind is never writable for a moment, and the place is a descriptor that cannot be swapped for a link.

mod apply;
mod cgroup;
mod mapped;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};
use crate::namespaces::IdMap;
use crate::plan::is_default;
use crate::root::Root;
use crate::sys::MountAttr;

pub use apply::{attach, new_file_system};
pub(crate) use mapped::Prepared;

/// One mount of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path inside the container. Made if missing: a directory, or a file when the source is a file.
    pub target: PathBuf,
    /// What is mounted there.
    pub source: Source,
    /// How.
    #[serde(default)]
    pub attributes: Attributes,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A new instance of a file system: `proc`, `sysfs`, `tmpfs`, `devpts`, `mqueue`, with its own options
    /// (`size=64m`, `newinstance`), each `key` or `key=value`.
    New {
        /// Its name in `/proc/filesystems`.
        kind: String,
        /// File system options, not mount attributes.
        options: Vec<String>,
    },
    /// A file or directory of the host, with everything mounted below it when `recursive`.
    Bind {
        /// Absolute path on the host.
        path: PathBuf,
        /// Whether mounts below the path come along (`rbind`).
        recursive: bool,
    },
    /// The same with other owners: ids of the file system appear as the maps say (mount_setattr(2), `MOUNT_ATTR_IDMAP`).
    MappedBind {
        /// Absolute path on the host.
        path: PathBuf,
        /// Whether mounts below the path come along.
        recursive: bool,
        /// Whether those are mapped too.
        map_below: bool,
        /// From ids of the file system (`inside`) to ids of the host.
        uid_map: Vec<IdMap>,
        /// The same for groups.
        gid_map: Vec<IdMap>,
    },
    /// The container's own cgroup directories, read-only unless the attributes say otherwise.
    Cgroup,
}

/// Attributes of a mount (mount_setattr(2)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// `ro`
    pub readonly: bool,
    /// `rro`: also everything mounted below.
    pub recursive_readonly: bool,
    /// `nosuid`
    pub nosuid: bool,
    /// `nodev`
    pub nodev: bool,
    /// `noexec`
    pub noexec: bool,
    /// `noatime`
    pub noatime: bool,
    /// `None` leaves what the source has.
    pub propagation: Option<Propagation>,
    /// Whether `propagation` holds for everything below as well.
    pub recursive_propagation: bool,
    /// Further `MOUNT_ATTR_*` bits of the mount itself, for what has no name above.
    #[serde(skip_serializing_if = "is_default")]
    pub here: Bits,
    /// The same for it and everything mounted below.
    #[serde(skip_serializing_if = "is_default")]
    pub below: Bits,
}

/// Mount propagation (mount_namespaces(7)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// Nothing travels either way.
    #[default]
    Private,
    /// The host's new mounts appear inside; ours do not appear outside.
    Slave,
    /// Both ways.
    Shared,
    /// Nothing travels, and the mount cannot be bound elsewhere.
    Unbindable,
}

/// `MOUNT_ATTR_*` bits to set and to clear. Clearing is for a bind of something that has more than is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bits {
    /// To set.
    pub set: u64,
    /// To clear first.
    pub clear: u64,
}

impl Mount {
    /// A new instance of the file system `kind`, without options or attributes.
    pub fn new(kind: &str, target: &str) -> Self {
        let source = Source::New { kind: kind.to_owned(), options: Vec::new() };
        Self { target: target.into(), source, attributes: Attributes::default() }
    }

    /// The host's `path`, with everything mounted below it, at `target`.
    pub fn bind(path: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        let source = Source::Bind { path: path.into(), recursive: true };
        Self { target: target.into(), source, attributes: Attributes::default() }
    }

    /// Makes this mount inside `root`. The source is opened by its host path, so this runs before the pivot.
    pub fn apply(&self, root: &Root) -> Result<()> {
        match &self.source {
            Source::New { kind, options } => apply::new(self, kind, options, root),
            Source::Bind { path, recursive } => apply::bind(self, path, *recursive, root),
            Source::Cgroup => cgroup::apply(self, root),
            Source::MappedBind { path, .. } => {
                let cause = "its ids can be mapped only by the launcher, before the container's process exists";
                Err(Failure::new("mount", cause).on(path.display()).hint("List it in Container::mounts."))
            }
        }
    }
}

impl Attributes {
    /// Docker's usual caution for file systems that hold no programs: `nosuid,nodev,noexec`.
    pub const CAUTIOUS: Self = Self {
        nosuid: true,
        nodev: true,
        noexec: true,
        readonly: false,
        recursive_readonly: false,
        noatime: false,
        propagation: None,
        recursive_propagation: false,
        here: Bits { set: 0, clear: 0 },
        below: Bits { set: 0, clear: 0 },
    };

    /// The calls of mount_setattr(2) that bring these about, each with whether it is recursive.
    ///
    /// Only flags that were asked for are touched. A flag that the source has and the mount was not asked for stays,
    /// because an outer user namespace may have locked it, and because a bind of something read-only is read-only.
    pub(crate) fn calls(self) -> Vec<(bool, MountAttr)> {
        let mut here = MountAttr { set: self.flags(), clear: self.here.clear, ..MountAttr::default() };
        let mut below = MountAttr { set: self.below.set, clear: self.below.clear, ..MountAttr::default() };
        if self.noatime {
            here.clear |= libc::MOUNT_ATTR__ATIME;
        }
        if self.recursive_readonly {
            below.set |= libc::MOUNT_ATTR_RDONLY;
        }
        let travel = if self.recursive_propagation { &mut below } else { &mut here };
        travel.propagation = self.propagation.map_or(0, Propagation::bits);
        let calls = [(false, here), (true, below)];
        calls.into_iter().filter(|(_, attr)| *attr != MountAttr::default()).collect()
    }

    /// `MOUNT_ATTR_*` bits for fsmount(2) and mount_setattr(2).
    pub(crate) fn flags(self) -> u64 {
        let asked = [
            (self.readonly || self.recursive_readonly, libc::MOUNT_ATTR_RDONLY),
            (self.nosuid, libc::MOUNT_ATTR_NOSUID),
            (self.nodev, libc::MOUNT_ATTR_NODEV),
            (self.noexec, libc::MOUNT_ATTR_NOEXEC),
            (self.noatime, libc::MOUNT_ATTR_NOATIME),
        ];
        asked.into_iter().filter(|(wanted, _)| *wanted).fold(self.here.set, |bits, (_, bit)| bits | bit)
    }
}

impl Propagation {
    /// As mount_setattr(2) wants it.
    pub(crate) fn bits(self) -> u64 {
        match self {
            Self::Private => libc::MS_PRIVATE,
            Self::Slave => libc::MS_SLAVE,
            Self::Shared => libc::MS_SHARED,
            Self::Unbindable => libc::MS_UNBINDABLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_set() {
        assert!(Attributes::default().calls().is_empty());
        let readonly = Attributes { readonly: true, ..Attributes::default() };
        assert_eq!(readonly.calls(), [(false, MountAttr { set: 1, ..MountAttr::default() })]);
    }

    #[test]
    fn recursive_parts_are_a_second_call() {
        let wanted = Attributes {
            recursive_readonly: true,
            propagation: Some(Propagation::Slave),
            recursive_propagation: true,
            ..Attributes::CAUTIOUS
        };
        let here = MountAttr { set: 1 | 2 | 4 | 8, ..MountAttr::default() };
        let below = MountAttr { set: 1, propagation: libc::MS_SLAVE, ..MountAttr::default() };
        assert_eq!(wanted.calls(), [(false, here), (true, below)]);
    }
}
