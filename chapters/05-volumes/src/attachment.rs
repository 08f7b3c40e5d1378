//! From a request to an [`Attachment`]: all that the container's maker needs to know, without the store.
//!
//! ```text
//! "data:/d:ro"  ──parse──▶  VolumeMount  ──attach──▶  Attachment  ──stage──▶  a mount in the container
//!                           what is asked  (makes     a path of the host,
//!                                          `data`)    attributes, origin
//! ```
//!
//! The daemon does the first two steps, the monitor the third. The store is not needed for that any more, so a
//! container can be started by a process that knows nothing of volumes.

use std::path::{Path, PathBuf};

use namespaces::mount::{Attributes, Source};
use namespaces::{Failure, Mount, Propagation, Result};
use serde::{Deserialize, Serialize};
use unionfs::Digest;

use crate::driver::{Owner, Supply};
use crate::record::NewVolume;
use crate::request::{Bind, BindRecursion, Kind, NamedVolume, Tmpfs, VolumeMount};
use crate::store::Store;

/// One mount of a container and what has to happen before it. Travels to the process that makes the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The mount as chapter 1 makes it.
    pub mount: Mount,
    /// What kind of thing its source is.
    pub origin: Origin,
}

/// What kind of thing is mounted, as far as something has to be done for it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A path of the host.
    Host {
        /// Make an empty directory if nothing is there.
        create: bool,
    },
    /// A volume.
    Volume {
        /// Its name.
        name: String,
        /// Fill it from the image while it is empty.
        copy: bool,
        /// The part of it that is mounted.
        subpath: Option<PathBuf>,
        /// Whose it is after it was filled, whatever the image says.
        #[serde(default, skip_serializing_if = "Owner::is_default")]
        owner: Owner,
    },
    /// An image.
    Image {
        /// As it was asked for.
        name: String,
        /// Which it was then.
        id: Digest,
        /// The part of it that is mounted.
        subpath: Option<PathBuf>,
    },
    /// Memory.
    Memory {
        /// Take the permission bits from the directory that the image has there.
        mode_of_image: bool,
    },
}

/// What to mount for `request`, except for an image ([`crate::attach_image`]). The volume it names is made in `store` if there is none.
pub fn attach(request: &VolumeMount, store: &Store) -> Result<Attachment> {
    match &request.kind {
        Kind::Bind(bind) => Ok(bind_attachment(request, bind)),
        Kind::Tmpfs(tmpfs) => Ok(tmpfs_attachment(request, tmpfs)),
        Kind::Volume(wanted) => volume_attachment(request, wanted, store),
        Kind::Image(wanted) => {
            let cause = "its layers are for the store of images to find";
            Err(Failure::new("mount the image", cause).on(&wanted.image).hint("The whole engine has one: skiff run."))
        }
    }
}

/// `attachments` in the order in which they have to be mounted: `/data` before `/data/cache`, which it would hide.
///
/// ```
/// # fn main() -> namespaces::Result<()> {
/// # let directory = tempfile::tempdir().unwrap();
/// use volumes::{Store, attach, in_mount_order, parse_tmpfs, parse_volume};
/// let store = Store::open(directory.path())?;
/// let inner = attach(&parse_tmpfs("/data/cache:size=1m")?, &store)?;
/// let outer = attach(&parse_volume("data:/data")?, &store)?;
/// let ordered = in_mount_order(vec![inner, outer])?;
/// assert_eq!(ordered[0].mount.target.to_str(), Some("/data"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Two for the same place: one of them would be hidden, and nobody asks for that on purpose.
pub fn in_mount_order(mut attachments: Vec<Attachment>) -> Result<Vec<Attachment>> {
    // SOLUTION vol-order
    attachments.sort_by_key(|attachment| attachment.mount.target.components().count());
    for (index, attachment) in attachments.iter().enumerate() {
        let target = &attachment.mount.target;
        if attachments.iter().take(index).any(|earlier| earlier.mount.target == *target) {
            let cause = "another volume or mount has the same target";
            return Err(Failure::new("mount twice at", cause).on(target.display()));
        }
    }
    Ok(attachments)
    // END SOLUTION
}

/// What [`namespaces::RootFs::propagation`] has to be so that these mounts can travel as they ask: the container's
/// whole view has to be connected to the host's, or there is no way for them.
pub fn root_propagation(attachments: &[Attachment]) -> Propagation {
    // SOLUTION vol-root
    let asked = |wanted| attachments.iter().any(|attachment| attachment.mount.attributes.propagation == Some(wanted));
    match (asked(Propagation::Shared), asked(Propagation::Slave)) {
        (true, _) => Propagation::Shared,
        (false, true) => Propagation::Slave,
        (false, false) => Propagation::Private,
    }
    // END SOLUTION
}

/// What the volume's driver supplies, made as the request says.
fn volume_attachment(request: &VolumeMount, wanted: &NamedVolume, store: &Store) -> Result<Attachment> {
    let volume = store.create(&NewVolume {
        name: wanted.name.clone(),
        driver: wanted.driver.clone(),
        labels: wanted.labels.clone(),
        options: wanted.options.clone(),
    })?;
    let Supply { source, attributes, fill, owner } = store.driver(&volume.driver)?.supply(&volume)?;
    let readonly = request.readonly || attributes.readonly;
    let attributes = match source {
        // A new file system has nothing below it, and nothing that could travel.
        Source::New { .. } => Attributes { readonly, ..attributes },
        _ => Attributes {
            readonly,
            recursive_readonly: readonly,
            propagation: Some(Propagation::Private),
            recursive_propagation: true,
            ..attributes
        },
    };
    let copy = wanted.copy && wanted.subpath.is_none() && fill;
    let origin = Origin::Volume { name: volume.name, copy, subpath: wanted.subpath.clone(), owner };
    Ok(Attachment { mount: Mount { target: request.target.clone(), source, attributes }, origin })
}

/// `recursion` is two answers in one word: do mounts below come along, and does read-only mean them too.
fn bind_attachment(request: &VolumeMount, bind: &Bind) -> Attachment {
    let whole_tree = matches!(bind.recursion, BindRecursion::Enabled | BindRecursion::Readonly);
    let attributes = Attributes {
        recursive_readonly: request.readonly && whole_tree,
        propagation: Some(bind.propagation),
        recursive_propagation: bind.recursive_propagation,
        ..quiet(request)
    };
    let recursive = bind.recursion != BindRecursion::Disabled;
    Attachment {
        mount: bind_mount(&request.target, bind.source.clone(), recursive, attributes),
        origin: Origin::Host { create: bind.create_host_path },
    }
}

/// Options go to the file system, the rest are attributes of the mount.
fn tmpfs_attachment(request: &VolumeMount, tmpfs: &Tmpfs) -> Attachment {
    let size = tmpfs.size.map(|bytes| format!("size={bytes}"));
    let mode = tmpfs.mode.map(|mode| format!("mode={mode:o}"));
    let options = size.into_iter().chain(mode).chain(tmpfs.options.iter().cloned()).collect();
    let attributes = Attributes {
        readonly: request.readonly,
        nosuid: !tmpfs.suid,
        nodev: !tmpfs.dev,
        noexec: !tmpfs.exec,
        noatime: tmpfs.noatime,
        ..Attributes::default()
    };
    let source = Source::New { kind: "tmpfs".to_owned(), options };
    Attachment {
        mount: Mount { target: request.target.clone(), source, attributes },
        origin: Origin::Memory { mode_of_image: tmpfs.mode.is_none() },
    }
}

/// Read-only as asked, and nothing travels.
fn quiet(request: &VolumeMount) -> Attributes {
    Attributes {
        readonly: request.readonly,
        propagation: Some(Propagation::Private),
        recursive_propagation: true,
        ..Attributes::default()
    }
}

fn bind_mount(target: &Path, path: PathBuf, recursive: bool, attributes: Attributes) -> Mount {
    Mount { target: target.to_path_buf(), source: Source::Bind { path, recursive }, attributes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{parse_mount, parse_tmpfs, parse_volume};

    fn attached(requests: &[VolumeMount]) -> Vec<Attachment> {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        requests.iter().map(|request| attach(request, &store).unwrap()).collect()
    }

    #[test]
    fn one_of_each() {
        let shown = attached(&[
            parse_volume("/srv:/www:ro,rslave").unwrap(),
            parse_volume("data:/d/e").unwrap(),
            parse_mount("source=data,target=/part,volume-subpath=a/b,readonly").unwrap(),
            parse_mount("type=bind,source=/srv,target=/s,readonly,bind-recursive=writable").unwrap(),
            parse_tmpfs("/run:size=1m,mode=700,exec").unwrap(),
        ]);
        insta::with_settings!({ filters => [(r#""path": ".*/data/_data""#, r#""path": "[store]/data/_data""#)] }, {
            insta::assert_json_snapshot!(shown);
        });
    }

    #[test]
    fn outer_before_inner_and_nothing_twice() {
        let requests = ["/srv:/a/b/c", "/srv:/a", "/srv:/z", "/srv:/a/b"].map(|spec| parse_volume(spec).unwrap());
        let ordered = in_mount_order(attached(&requests)).unwrap();
        let targets: Vec<_> = ordered.iter().map(|attachment| attachment.mount.target.to_str().unwrap()).collect();
        assert_eq!(targets, ["/a", "/z", "/a/b", "/a/b/c"]);
        let twice = ["/srv:/a", "/etc:/a/"].map(|spec| parse_volume(spec).unwrap());
        let failure = in_mount_order(attached(&twice)).unwrap_err();
        insta::assert_snapshot!(failure, @"cannot mount twice at /a: another volume or mount has the same target");
    }

    #[test]
    fn the_root_is_as_connected_as_the_most_connected_mount() {
        let of = |specs: &[&str]| {
            root_propagation(&attached(&specs.iter().map(|spec| parse_volume(spec).unwrap()).collect::<Vec<_>>()))
        };
        assert_eq!(of(&["/srv:/a", "data:/b"]), Propagation::Private);
        assert_eq!(of(&["/srv:/a", "/srv:/b:rslave"]), Propagation::Slave);
        assert_eq!(of(&["/srv:/a:rshared", "/srv:/b:rslave"]), Propagation::Shared);
    }
}
