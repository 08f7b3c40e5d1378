//! One mount: what, where, how. Made by the new mount API (fsopen(2), open_tree(2), mount_setattr(2), move_mount(2)), and
//! always onto a descriptor that [`Root`] resolved, never onto a path.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::container::Propagation;
use crate::failure::Result;
use crate::root::Root;

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
}

impl Mount {
    /// Makes this mount inside `root`. The source is opened by its host path, so this runs before the pivot.
    pub fn apply(&self, root: &Root) -> Result<()> {
        let _ = root;
        todo!()
    }
}
