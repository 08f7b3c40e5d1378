//! One `-v` or `--mount` of a request, read and refused in docker's words.

use std::path::{Component, Path, PathBuf};

use bollard_stubs::models::{Mount, MountBindOptionsPropagationEnum as Travel, MountTypeEnum};
use namespaces::{Failure, Propagation};
use volumes::{Bind, BindRecursion, ImageFiles, Kind, NamedVolume, Tmpfs, VolumeMount, parse_volume};

use crate::error::{Error, Result};

/// One mount that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What, where and how.
    pub(super) mount: VolumeMount,
    /// The options as they were written, which docker shows.
    pub(super) mode: String,
}

/// `-v`: `[SOURCE:]TARGET[:OPTIONS]`. `driver` is `--volume-driver`.
pub(super) fn from_bind(spec: &str, driver: Option<&str>) -> Result<Wanted> {
    if let Some((source, _)) = spec.split_once(':').filter(|(source, _)| !source.is_empty() && !source.starts_with('/'))
    {
        check_name(source)?;
    }
    let refused = |cause: String| Error::invalid(format!("invalid volume specification: '{spec}': {cause}"));
    let mut mount = parse_volume(spec)
        .map_err(|failure| Error { hint: failure.hint, ..refused(failure.cause.unwrap_or_default()) })?;
    if let (Kind::Volume(volume), Some(driver)) = (&mut mount.kind, driver) {
        driver.clone_into(&mut volume.driver);
    }
    let mode = spec.splitn(3, ':').nth(2).unwrap_or_default();
    let mode = if mode.is_empty() { default_mode(&mount) } else { mode.to_owned() };
    Ok(Wanted { mount, mode })
}

/// A volume's name, refused in docker's words.
fn check_name(name: &str) -> Result<()> {
    let refused = |failure: Failure| Error::invalid(format!("create {name}: {}", failure.cause.unwrap_or_default()));
    volumes::validate_name(name).map_err(refused)
}

/// What docker shows as the mode of a volume that none was written for: shared, as far as labels of SELinux go.
pub(super) fn default_mode(mount: &VolumeMount) -> String {
    if matches!(mount.kind, Kind::Volume(_)) { "z".to_owned() } else { String::new() }
}

/// Where a mount goes to inside the container, refused in docker's words.
pub(super) fn check_target(typ: &str, target: &str) -> Result<()> {
    let refuse = |what: &str| Err(Error::invalid(format!("invalid mount config for type \"{typ}\": {what}")));
    if target.is_empty() {
        return refuse("field Target must not be empty");
    }
    if !target.starts_with('/') {
        return refuse(&format!("invalid mount path: '{target}' mount path must be absolute"));
    }
    if Path::new(target).components().all(|part| matches!(part, Component::RootDir | Component::CurDir)) {
        return refuse("invalid specification: destination can't be '/'");
    }
    Ok(())
}

/// Options of another type of mount than this one is.
fn check_options(mount: &Mount, typ: MountTypeEnum) -> Result<()> {
    use MountTypeEnum::{BIND, IMAGE, TMPFS, VOLUME};
    let all = [
        (mount.bind_options.is_some(), BIND, "BindOptions"),
        (mount.volume_options.is_some(), VOLUME, "VolumeOptions"),
        (mount.tmpfs_options.is_some(), TMPFS, "TmpfsOptions"),
        (mount.image_options.is_some(), IMAGE, "ImageOptions"),
    ];
    match all.into_iter().find(|(given, of, _)| *given && *of != typ) {
        Some((_, _, field)) => {
            Err(Error::invalid(format!("invalid mount config for type \"{typ}\": field {field} must not be specified")))
        }
        None => Ok(()),
    }
}

/// `--mount`, as the API has it.
pub(super) fn from_mount(mount: &Mount) -> Result<VolumeMount> {
    let target = mount.target.as_deref().unwrap_or_default();
    let source = mount.source.as_deref().unwrap_or_default();
    let typ = mount.typ.unwrap_or(MountTypeEnum::EMPTY);
    if typ != MountTypeEnum::EMPTY {
        check_target(typ.as_ref(), target)?;
        check_options(mount, typ)?;
    }
    let kind = match typ {
        MountTypeEnum::BIND | MountTypeEnum::IMAGE if source.is_empty() => {
            let kind = if typ == MountTypeEnum::BIND { "path of the host" } else { "image" };
            return Err(Error::invalid(format!(
                "invalid mount config for type \"{typ}\": field Source must not be empty"
            ))
            .hint(format!("Say which {kind} to mount at {target:?} in the container.")));
        }
        MountTypeEnum::BIND if !source.starts_with('/') => {
            let words = format!("invalid mount path: '{source}' mount path must be absolute");
            return Err(Error::invalid(format!("invalid mount config for type \"bind\": {words}")));
        }
        MountTypeEnum::BIND => Kind::Bind(bind(mount, source)),
        MountTypeEnum::VOLUME => Kind::Volume(volume(mount, source)?),
        MountTypeEnum::TMPFS if !source.is_empty() => {
            return Err(Error::invalid("invalid mount config for type \"tmpfs\": field Source must not be specified"));
        }
        MountTypeEnum::TMPFS => Kind::Tmpfs(tmpfs(mount)),
        MountTypeEnum::IMAGE => Kind::Image(image(mount, source)),
        MountTypeEnum::EMPTY => return Err(Error::invalid("invalid mount config: mount type unknown: \"\"")),
        other => {
            let name = format!("{other:?}").to_lowercase();
            return Err(Error::unsupported(format!("Skiff does not support mounts of the type {name} yet")));
        }
    };
    VolumeMount::new(Path::new(target), mount.read_only == Some(true), kind).map_err(Error::refusal)
}

fn bind(mount: &Mount, source: &str) -> Bind {
    let options = mount.bind_options.clone().unwrap_or_default();
    let (propagation, recursive_propagation) = match options.propagation.unwrap_or(Travel::EMPTY) {
        Travel::PRIVATE => (Propagation::Private, false),
        Travel::EMPTY | Travel::RPRIVATE => (Propagation::Private, true),
        Travel::SHARED => (Propagation::Shared, false),
        Travel::RSHARED => (Propagation::Shared, true),
        Travel::SLAVE => (Propagation::Slave, false),
        Travel::RSLAVE => (Propagation::Slave, true),
    };
    let set = |option: Option<bool>| option == Some(true);
    let recursion = if set(options.non_recursive) {
        BindRecursion::Disabled
    } else if set(options.read_only_force_recursive) {
        BindRecursion::Readonly
    } else if set(options.read_only_non_recursive) {
        BindRecursion::Writable
    } else {
        BindRecursion::Enabled
    };
    let create_host_path = set(options.create_mountpoint);
    Bind { create_host_path, propagation, recursive_propagation, recursion, ..Bind::new(source) }
}

fn volume(mount: &Mount, source: &str) -> Result<NamedVolume> {
    let options = mount.volume_options.clone().unwrap_or_default();
    let driver = options.driver_config.unwrap_or_default();
    let name = Some(source).filter(|source| !source.is_empty());
    name.map_or(Ok(()), check_name)?;
    let mut volume = NamedVolume::new(name);
    if let Some(name) = driver.name.filter(|name| !name.is_empty()) {
        volume.driver = name;
    }
    volume.copy = options.no_copy != Some(true);
    volume.subpath = options.subpath.filter(|path| !path.is_empty()).map(PathBuf::from);
    volume.labels = options.labels.unwrap_or_default().into_iter().collect();
    volume.options = driver.options.unwrap_or_default().into_iter().collect();
    Ok(volume)
}

fn image(mount: &Mount, source: &str) -> ImageFiles {
    let subpath = mount.image_options.as_ref().and_then(|options| options.subpath.as_deref());
    let subpath = subpath.filter(|path| !path.is_empty()).map(PathBuf::from);
    ImageFiles { image: source.to_owned(), subpath }
}

fn tmpfs(mount: &Mount) -> Tmpfs {
    let options = mount.tmpfs_options.clone().unwrap_or_default();
    let mut tmpfs = Tmpfs {
        size: options.size_bytes.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0),
        mode: options.mode.and_then(|mode| u32::try_from(mode).ok()).filter(|mode| *mode > 0),
        ..Tmpfs::default()
    };
    for option in options.options.unwrap_or_default() {
        match option.join("=").as_str() {
            "exec" => tmpfs.exec = true,
            "suid" => tmpfs.suid = true,
            "dev" => tmpfs.dev = true,
            "noexec" | "nosuid" | "nodev" => {}
            other => tmpfs.options.push(other.to_owned()),
        }
    }
    tmpfs
}
