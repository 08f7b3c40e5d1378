//! What is wanted: [`VolumeMount`], one value for every way to write it.
//!
//! | | bind | volume | tmpfs | image |
//! |---|---|---|---|---|
//! | what is seen | a path of the host | a directory that the engine keeps | memory | an image's files |
//! | begins with | what is there | what the image has, if empty | nothing | what the image has |
//! | ends | never | when removed by name | with the container | with the image |
//! | is for | sources, sockets, configuration | data of services | scratch files, secrets | tools, models, sites |
//!
//! Requests come from the command line's flags, from `HostConfig.Binds`, and from `HostConfig.Mounts`, where they are
//! values already. All end in [`VolumeMount::new`], so that what one way refuses, the others refuse too.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use namespaces::{Failure, Propagation, Result};
use serde::{Deserialize, Serialize};

use crate::store::validate_name;

/// One mount that a user asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeMount {
    /// Absolute path inside the container.
    pub target: PathBuf,
    /// Whether the container may only read.
    pub readonly: bool,
    /// What is mounted there.
    pub kind: Kind,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file or directory of the host.
    Bind(Bind),
    /// A directory that the engine keeps under a name.
    Volume(NamedVolume),
    /// Memory, gone with the container.
    Tmpfs(Tmpfs),
    /// The files of an image, read-only.
    Image(ImageFiles),
}

/// A file or directory of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Whether a missing source is made, as an empty directory. `-v` wants this; `--mount` refuses instead, so that a
    /// typing error does not become an empty directory.
    pub create_host_path: bool,
    /// What travels between the host's mounts below the source and the container's.
    pub propagation: Propagation,
    /// Whether that holds for the mounts below as well (`rslave`), and not only for the topmost (`slave`).
    pub recursive_propagation: bool,
    /// Whether mounts below the source come along, and whether `readonly` means them too.
    pub recursion: BindRecursion,
}

/// Docker's `bind-recursive`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BindRecursion {
    /// Mounts below come along; read-only means all of them.
    #[default]
    Enabled,
    /// Mounts below are left behind: their mount points look empty.
    Disabled,
    /// Mounts below come along; read-only means only the topmost.
    Writable,
    /// As `Enabled`, and whoever asks wants to be sure.
    Readonly,
}

/// A volume by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedVolume {
    /// `None` is a new one with a random name.
    pub name: Option<String>,
    /// Whether an empty volume is filled with what the image has at the target.
    pub copy: bool,
    /// Part of the volume, relative to its top.
    pub subpath: Option<PathBuf>,
    /// Who keeps it: the name of a [`crate::Driver`].
    pub driver: String,
    /// Labels of the volume, if it has to be made.
    pub labels: BTreeMap<String, String>,
    /// Driver options, if it has to be made.
    pub options: BTreeMap<String, String>,
}

/// The files of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFiles {
    /// Name or id of the image, as it was asked for. It must be here: a mount pulls nothing.
    pub image: String,
    /// Part of it, relative to its top.
    pub subpath: Option<PathBuf>,
}

/// Memory (tmpfs(5)). Programs, set-user-id bits and devices have no business there unless asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tmpfs {
    /// The most it may hold, in bytes. `None` is half of the machine's memory (within the container's memory limit).
    pub size: Option<u64>,
    /// Permission bits of its top directory. `None` is what the image has there, else 0o1777.
    pub mode: Option<u32>,
    /// Further options of the file system: `uid=1000`, `nr_inodes=1k`.
    pub options: Vec<String>,
    /// Whether programs in it can be run.
    pub exec: bool,
    /// Whether set-user-id bits count.
    pub suid: bool,
    /// Whether device nodes work.
    pub dev: bool,
    /// Whether reading leaves the times of access alone.
    #[serde(default)]
    pub noatime: bool,
}

impl Bind {
    /// The host's `source` as `--mount` has it by default: it must exist, and nothing travels.
    pub fn new(source: impl Into<PathBuf>) -> Self {
        Self {
            source: source.into(),
            create_host_path: false,
            propagation: Propagation::Private,
            recursive_propagation: true,
            recursion: BindRecursion::Enabled,
        }
    }
}

impl NamedVolume {
    /// The local volume `name`, or an anonymous one.
    pub fn new(name: Option<&str>) -> Self {
        Self {
            name: name.map(str::to_owned),
            copy: true,
            subpath: None,
            driver: "local".to_owned(),
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        }
    }
}

impl VolumeMount {
    /// A mount of `kind` at `target`, checked: what every parser and every other maker of requests ends with.
    ///
    /// The target is made plain (`/a/../b/` is `/b`): two spellings of one place are one place.
    ///
    /// # Errors
    /// A target that is relative or `/`; a bind source that is relative; a name, a subpath or a combination that cannot
    /// be.
    pub fn new(target: impl AsRef<Path>, readonly: bool, kind: Kind) -> Result<Self> {
        let target = plain_target(target.as_ref())?;
        match &kind {
            Kind::Bind(bind) => check_bind(bind, readonly)?,
            Kind::Volume(volume) => check_volume(volume)?,
            Kind::Image(image) => check_subpath(image.subpath.as_deref())?,
            Kind::Tmpfs(_) => {}
        }
        Ok(Self { target, readonly, kind })
    }
}

/// Absolute, without `.`, `..` and doubled slashes, and not the root. Symbolic links are the image's business and are
/// followed inside it later.
fn plain_target(target: &Path) -> Result<PathBuf> {
    let refused = |cause| Failure::new("mount at", cause).on(format!("{:?}", target.display().to_string()));
    if !target.is_absolute() {
        return Err(refused("the path inside the container must be absolute"));
    }
    let mut plain = PathBuf::from("/");
    for component in target.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            _ => {}
        }
    }
    if plain == Path::new("/") {
        return Err(refused("the container's root itself cannot be covered"));
    }
    Ok(plain)
}

/// What only concerns binds.
fn check_bind(bind: &Bind, readonly: bool) -> Result<()> {
    let refused = |cause| Failure::new("bind", cause).on(bind.source.display());
    if !bind.source.is_absolute() {
        return Err(refused("the path on the host must be absolute"));
    }
    if bind.recursion != BindRecursion::Readonly {
        return Ok(());
    }
    if !readonly {
        return Err(refused("bind-recursive=readonly needs readonly"));
    }
    if (bind.propagation, bind.recursive_propagation) != (Propagation::Private, true) {
        // A mount that arrives later would be writable.
        return Err(refused("bind-recursive=readonly needs bind-propagation=rprivate"));
    }
    Ok(())
}

/// What only concerns volumes.
fn check_volume(volume: &NamedVolume) -> Result<()> {
    if let Some(name) = &volume.name {
        validate_name(name)?;
    }
    check_subpath(volume.subpath.as_deref())?;
    match (&volume.name, &volume.subpath) {
        (None, Some(subpath)) => Err(Failure::new("use the subpath", "a new volume has no directories yet")
            .on(format!("{:?}", subpath.display().to_string()))
            .hint("Name the volume that has this directory.")),
        _ => Ok(()),
    }
}

/// The form of a subpath; where it leads is seen when it is mounted.
fn check_subpath(subpath: Option<&Path>) -> Result<()> {
    let Some(subpath) = subpath else { return Ok(()) };
    let inside = subpath.components().all(|component| matches!(component, Component::Normal(_) | Component::CurDir));
    if inside && !subpath.as_os_str().is_empty() {
        return Ok(());
    }
    Err(Failure::new("use the subpath", "it must be relative to the top of the volume or image, without \"..\"")
        .on(format!("{:?}", subpath.display().to_string())))
}

/// One of docker's six propagation modes, and whether it is recursive.
pub(crate) fn propagation_mode(mode: &str) -> Option<(Propagation, bool)> {
    Some(match mode {
        "private" => (Propagation::Private, false),
        "rprivate" => (Propagation::Private, true),
        "shared" => (Propagation::Shared, false),
        "rshared" => (Propagation::Shared, true),
        "slave" => (Propagation::Slave, false),
        "rslave" => (Propagation::Slave, true),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(name: Option<&str>, subpath: &str) -> Kind {
        Kind::Volume(NamedVolume { subpath: Some(subpath.into()), ..NamedVolume::new(name) })
    }

    #[test]
    fn a_target_has_one_spelling() {
        for target in ["/b", "/b/", "//b", "/a/../b", "/../b", "/./b/."] {
            let mount = VolumeMount::new(target, false, Kind::Tmpfs(Tmpfs::default())).unwrap();
            assert_eq!(mount.target, Path::new("/b"), "{target}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let readonly = Bind { recursion: BindRecursion::Readonly, ..Bind::new("/x") };
        let slave = Bind { propagation: Propagation::Slave, ..readonly.clone() };
        let cases = [
            ("data", false, Kind::Tmpfs(Tmpfs::default())),
            ("/", false, Kind::Tmpfs(Tmpfs::default())),
            ("/a/..", false, Kind::Tmpfs(Tmpfs::default())),
            ("/d", false, Kind::Bind(Bind::new("here"))),
            ("/d", false, Kind::Bind(readonly)),
            ("/d", true, Kind::Bind(slave)),
            ("/d", false, Kind::Volume(NamedVolume::new(Some("../etc")))),
            ("/d", false, volume(Some("vol"), "../../etc")),
            ("/d", false, volume(Some("vol"), "/etc")),
            ("/d", false, volume(None, "x")),
        ];
        let messages = cases.map(|(target, ro, kind)| VolumeMount::new(target, ro, kind).unwrap_err().to_string());
        insta::assert_snapshot!(messages.join("\n"));
    }
}
