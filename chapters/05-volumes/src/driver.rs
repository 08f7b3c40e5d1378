//! Who keeps a volume: the [`Driver`] trait, and [`Local`], the only driver that is here.
//!
//! A driver answers two questions. *Can there be such a volume?* is asked once, when it is made, and *what is mounted for
//! it?* each time a container wants it. The answer is a [`Source`] of chapter 1, so a driver never mounts anything itself:
//! that happens in the container's own mount namespace, where it ends with the container.
//!
//! `Local` keeps a directory, and like docker's it can be told to mount something else:
//!
//! | options | what is mounted |
//! |---|---|
//! | none | the volume's own directory |
//! | `type=none o=bind device=/srv/data` | a directory of the host, filled from the image while it is empty |
//! | `type=tmpfs device=tmpfs o=size=64m,uid=1000` | memory; each container has its own, and it ends with it |
//! | `type=ext4 device=/dev/vdb` | a disk |
//! | `type=nfs device=:/export o=addr=10.0.0.2,rw` | a network share |
//! | `uid=1000 gid=1000 mode=0750` | the volume's own directory, with this owner (ours) |
//! | `idmap=1000:0` | the directory with other owners: what is 1000's on the disk is 0's inside (ours) |
//!
//! The last two answer docker's oldest complaint about volumes: a program that does not run as root cannot write to a new
//! one, and files of the host have owners that mean nothing inside.

use std::collections::BTreeMap;
use std::fmt::Debug;

use namespaces::mount::{Attributes, Source};
use namespaces::{Context as _, Failure, Result};
use rustix::fs::{CWD, Gid, Mode, Uid, chmod};
use serde::{Deserialize, Serialize};

use crate::local_options::{LocalOptions, Mounted};
use crate::record::Volume;

/// Who keeps volumes.
pub trait Driver: Debug + Send + Sync {
    /// What `--driver` calls it.
    fn name(&self) -> &'static str;

    /// Whether a volume with these options can be made.
    ///
    /// # Errors
    /// An option that is unknown, malformed, or senseless without another one.
    fn check(&self, options: &BTreeMap<String, String>) -> Result<()>;

    /// What has to be done to the directory of a new volume before anybody sees it.
    fn made(&self, volume: &Volume) -> Result<()>;

    /// What is mounted for a volume that exists.
    fn supply(&self, volume: &Volume) -> Result<Supply>;
}

/// What a driver has mounted for a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supply {
    /// The thing itself.
    pub source: Source,
    /// What it asks of its mount, besides what the container's request says.
    pub attributes: Attributes,
    /// Whether it is a directory that begins with what the image has there, if it is empty.
    pub fill: bool,
    /// Who it belongs to, whatever the image says.
    pub owner: Owner,
}

/// An owner that was asked for. What is `None` was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// User id.
    pub uid: Option<u32>,
    /// Group id.
    pub gid: Option<u32>,
    /// Permission bits.
    pub mode: Option<u32>,
}

impl Owner {
    /// For serde: none was asked for.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Gives the directory to this owner. `data` is the engine's own path.
    pub(crate) fn give(self, data: &std::path::Path) -> Result<()> {
        if self.uid.is_some() || self.gid.is_some() {
            let (uid, gid) = (self.uid.map(Uid::from_raw), self.gid.map(Gid::from_raw));
            rustix::fs::chownat(CWD, data, uid, gid, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
                .during("set the owner of the volume at", data.display())?;
        }
        let Some(mode) = self.mode else { return Ok(()) };
        chmod(data, Mode::from_raw_mode(mode)).during("set the mode of the volume at", data.display())
    }
}

/// Directories of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Local;

impl Driver for Local {
    fn name(&self) -> &'static str {
        "local"
    }

    fn check(&self, options: &BTreeMap<String, String>) -> Result<()> {
        LocalOptions::parse(options).map(drop)
    }

    fn made(&self, volume: &Volume) -> Result<()> {
        LocalOptions::parse(&volume.options)?.owner.give(&volume.data)
    }

    fn supply(&self, volume: &Volume) -> Result<Supply> {
        let LocalOptions { mounted, owner, idmap } = LocalOptions::parse(&volume.options)?;
        let (path, attributes) = match mounted {
            None => (volume.data.clone(), Attributes::default()),
            Some(Mounted::Bind { device, attributes }) => (device, attributes),
            Some(Mounted::FileSystem { kind, options, attributes }) => {
                let source = Source::New { kind, options: options.resolved()? };
                return Ok(Supply { source, attributes, fill: false, owner });
            }
        };
        let recursive = true;
        let source = if idmap.is_empty() {
            Source::Bind { path, recursive }
        } else {
            Source::MappedBind { path, recursive, map_below: false, uid_map: idmap.clone(), gid_map: idmap }
        };
        Ok(Supply { fill: matches!(source, Source::Bind { .. }), source, attributes, owner })
    }
}

/// The driver that is not there, in words.
pub(crate) fn no_such_driver(name: &str, known: &[&'static str]) -> Failure {
    Failure::new("use the volume driver", "there is no such driver")
        .on(name)
        .hint(format!("These are here: {}. Docker's plugins are not supported.", known.join(", ")))
}
