//! `-v`, `--mount`, `--tmpfs`, `--volumes-from` and the image's volumes become one list of mounts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bollard_stubs::models::{ContainerConfig, HostConfig};
use images::Digest;
use volumes::{Kind, NamedVolume, Store, VolumeMount, attach, attach_image, parse_tmpfs_options};

use super::mount::{Wanted, check_target, default_mode, from_bind, from_mount};
use crate::containers::record::Mounted;
use crate::error::{Error, Result};

/// An image's id and its layers, the top one first, by its name.
pub(crate) type FindImage<'a> = dyn Fn(&str) -> Result<(Digest, Vec<PathBuf>)> + 'a;

/// Where what is mounted comes from.
pub(crate) struct Sources<'a> {
    /// The volumes.
    pub(crate) volumes: &'a Store,
    /// The images.
    pub(crate) image: &'a FindImage<'a>,
}

/// All mounts that a request asks for, `others` being those of the containers in `VolumesFrom`. What is asked for itself
/// covers what comes from others, and both cover what the image's `VOLUME` lines want.
///
/// # Errors
/// What cannot be read, in the chapter's words; `Duplicate mount point: PATH`.
pub(crate) fn wanted(config: &ContainerConfig, host: &HostConfig, others: &[Mounted]) -> Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let driver = host.volume_driver.as_deref().filter(|driver| !driver.is_empty());
    for spec in host.binds.iter().flatten() {
        add(&mut wanted, from_bind(spec, driver)?)?;
    }
    for mount in host.mounts.iter().flatten() {
        let mount = from_mount(mount)?;
        let mode = default_mode(&mount);
        add(&mut wanted, Wanted { mount, mode })?;
    }
    let mut tmpfs: Vec<_> = host.tmpfs.iter().flatten().collect();
    tmpfs.sort();
    for (target, options) in tmpfs {
        check_target("tmpfs", target)?;
        add(
            &mut wanted,
            Wanted { mount: parse_tmpfs_options(target, options).map_err(Error::refusal)?, mode: String::new() },
        )?;
    }
    let mut volumes: Vec<_> = config.volumes.iter().flatten().map(|(target, _)| target).collect();
    volumes.sort();
    for target in volumes {
        // An image's `VOLUME data` means the one in its root.
        let target = Path::new("/").join(target);
        let mount = VolumeMount::new(target, false, Kind::Volume(NamedVolume::new(None))).map_err(Error::refusal)?;
        let covered = wanted.iter().any(|other| other.mount.target == mount.target)
            || others.iter().any(|other| other.attachment.mount.target == mount.target);
        if !covered {
            wanted.push(Wanted { mount, mode: String::new() });
        }
    }
    Ok(wanted)
}

/// Makes the volumes that `wanted` names, and puts everything in the order in which it will be mounted.
///
/// # Errors
/// `bind source path does not exist`; what the store says. Volumes that were made stay: a named one is what was asked for, an
/// anonymous one is in the returned list of [`Mounted::anonymous`] only on success, so it is removed here.
pub(crate) fn resolve(wanted: Vec<Wanted>, others: &[Mounted], sources: &Sources<'_>) -> Result<Vec<Mounted>> {
    let mut mounted: Vec<Mounted> = Vec::new();
    for each in wanted {
        match one(&each, sources) {
            Ok(one) => mounted.push(one),
            Err(error) => {
                forget(&mounted, others, sources.volumes);
                return Err(error);
            }
        }
    }
    for other in others {
        let target = &other.attachment.mount.target;
        if !mounted.iter().any(|own| own.attachment.mount.target == *target) {
            // An anonymous volume goes with the last container that has it (`rm -v`), not with the one it was made for.
            mounted.push(other.clone());
        }
    }
    mounted.sort_by_key(|mounted| mounted.attachment.mount.target.components().count());
    Ok(mounted)
}

/// Removes the anonymous volumes among `mounted` that are not `others`'.
pub(crate) fn forget(mounted: &[Mounted], others: &[Mounted], store: &Store) {
    for name in made_up(mounted, others) {
        if let Err(failure) = store.remove(&name) {
            tracing::warn!("{failure}");
        }
    }
}

/// The names of the anonymous volumes among `mounted` that are not `others`'.
pub(crate) fn made_up(mounted: &[Mounted], others: &[Mounted]) -> Vec<String> {
    let new = mounted.iter().filter(|mounted| mounted.anonymous).filter_map(Mounted::volume);
    new.filter(|name| !others.iter().any(|other| other.volume() == Some(name))).map(str::to_owned).collect()
}

/// The names of volumes that are asked for and not there yet.
pub(crate) fn missing(wanted: &[Wanted], store: &Store) -> BTreeSet<String> {
    let names = wanted.iter().filter_map(|wanted| match &wanted.mount.kind {
        Kind::Volume(volume) => volume.name.clone(),
        _ => None,
    });
    names.filter(|name| matches!(store.get(name), Ok(None))).collect()
}

impl Mounted {
    /// The name of its volume, if it is one.
    pub(crate) fn volume(&self) -> Option<&str> {
        match &self.attachment.origin {
            volumes::Origin::Volume { name, .. } => Some(name),
            _ => None,
        }
    }

    /// Whether it is a tmpfs.
    pub(crate) fn is_memory(&self) -> bool {
        matches!(self.attachment.origin, volumes::Origin::Memory { .. })
    }

    /// The image whose files it is, if it is one.
    pub(crate) fn image(&self) -> Option<Digest> {
        match &self.attachment.origin {
            volumes::Origin::Image { id, .. } => Some(*id),
            _ => None,
        }
    }
}

fn one(wanted: &Wanted, sources: &Sources<'_>) -> Result<Mounted> {
    let mut anonymous = false;
    let attachment = match &wanted.mount.kind {
        Kind::Bind(bind) if !bind.create_host_path && !bind.source.exists() => {
            let source = bind.source.display();
            return Err(Error::invalid(format!(
                "invalid mount config for type \"bind\": bind source path does not exist: {source}"
            ))
            .hint("Make it first, or use -v, which makes a missing directory."));
        }
        Kind::Image(files) => {
            let (id, lowers) = (sources.image)(&files.image)?;
            attach_image(&wanted.mount.target, files, id, lowers)
        }
        kind => {
            anonymous = matches!(kind, Kind::Volume(NamedVolume { name: None, .. }));
            attach(&wanted.mount, sources.volumes).map_err(Error::refusal)?
        }
    };
    Ok(Mounted { attachment, mode: wanted.mode.clone(), anonymous })
}

fn add(all: &mut Vec<Wanted>, wanted: Wanted) -> Result<()> {
    if all.iter().any(|other| other.mount.target == wanted.mount.target) {
        return Err(Error::invalid(format!("Duplicate mount point: {}", wanted.mount.target.display())));
    }
    all.push(wanted);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard_stubs::models::{
        Mount, MountBindOptions, MountBindOptionsPropagationEnum as Travel, MountImageOptions, MountTmpfsOptions,
        MountTypeEnum, MountVolumeOptions,
    };

    use super::*;

    fn sources(volumes: &Store) -> Sources<'_> {
        let image = &|name: &str| match name {
            "site" => Ok((Digest::of(b"site"), vec!["/layers/top".into(), "/layers/base".into()])),
            name => Err(Error::not_found(format!("No such image: {name}"))),
        };
        Sources { volumes, image }
    }

    fn host() -> HostConfig {
        let mount = |typ, source: &str, target: &str| Mount {
            typ: Some(typ),
            source: Some(source.into()),
            target: Some(target.into()),
            ..Mount::default()
        };
        let rslave = MountBindOptions { propagation: Some(Travel::RSLAVE), ..MountBindOptions::default() };
        let part =
            MountVolumeOptions { subpath: Some("a".into()), no_copy: Some(true), ..MountVolumeOptions::default() };
        let small = MountTmpfsOptions {
            size_bytes: Some(1 << 20),
            mode: Some(0o700),
            options: Some(vec![vec!["exec".into()]]),
        };
        let www = MountImageOptions { subpath: Some("srv/www".into()) };
        HostConfig {
            binds: Some(vec!["/:/host:ro".into(), "data:/data".into()]),
            mounts: Some(vec![
                Mount { bind_options: Some(rslave), read_only: Some(true), ..mount(MountTypeEnum::BIND, "/tmp", "/t") },
                Mount { volume_options: Some(part), ..mount(MountTypeEnum::VOLUME, "vol", "/v/w") },
                Mount { tmpfs_options: Some(small), ..mount(MountTypeEnum::TMPFS, "", "/run") },
                Mount { image_options: Some(www), ..mount(MountTypeEnum::IMAGE, "site", "/www") },
            ]),
            tmpfs: Some([("/scratch".into(), "size=64k".into())].into()),
            ..HostConfig::default()
        }
    }

    #[expect(clippy::zero_sized_map_values, reason = "the API's types write a set like this")]
    fn config(volumes: &[&str]) -> ContainerConfig {
        let volumes = volumes.iter().map(|&path| (path.to_owned(), HashMap::default())).collect();
        ContainerConfig { volumes: Some(volumes), ..ContainerConfig::default() }
    }

    #[test]
    fn every_way_to_ask_for_a_mount() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let wanted = wanted(&config(&["/data", "/image"]), &host(), &[]).unwrap();
        let mounted = resolve(wanted, &[], &sources(&store)).unwrap();
        let anonymous = mounted.iter().find(|mounted| mounted.anonymous).unwrap();
        let name = anonymous.volume().unwrap().to_owned();
        assert_eq!(anonymous.attachment.mount.target, Path::new("/image"));
        let json = serde_json::to_string_pretty(&mounted).unwrap();
        let json = json.replace(&name, "[anonymous]").replace(&*directory.path().to_string_lossy(), "[store]");
        insta::assert_snapshot!(json);
        forget(&mounted, &[], &store);
        assert_eq!(store.get(&name).unwrap(), None);
        assert!(store.get("data").unwrap().is_some());
    }

    #[test]
    fn what_is_asked_for_covers_what_comes_from_others() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let theirs =
            resolve(wanted(&config(&["/a", "/b"]), &HostConfig::default(), &[]).unwrap(), &[], &sources(&store))
                .unwrap();
        let own = HostConfig { binds: Some(vec!["mine:/a".into()]), ..HostConfig::default() };
        let mounted = resolve(wanted(&config(&["/b"]), &own, &theirs).unwrap(), &theirs, &sources(&store)).unwrap();
        let shown: Vec<_> =
            mounted.iter().map(|mounted| (mounted.volume() == Some("mine"), mounted.anonymous)).collect();
        assert_eq!(shown, [(true, false), (false, true)]);
        assert_eq!(made_up(&mounted, &theirs), [""; 0], "theirs is not this one's to take back");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let refuse = |host: HostConfig| {
            let wanted = wanted(&config(&["/image"]), &host, &[]);
            wanted.and_then(|wanted| resolve(wanted, &[], &sources(&store))).unwrap_err().message
        };
        let binds = |specs: &[&str]| HostConfig {
            binds: Some(specs.iter().map(|&spec| spec.to_owned()).collect()),
            ..HostConfig::default()
        };
        let missing = Mount {
            typ: Some(MountTypeEnum::BIND),
            source: Some("/no/such".into()),
            target: Some("/z".into()),
            ..Mount::default()
        };
        let image = Mount { typ: Some(MountTypeEnum::IMAGE), ..missing.clone() };
        let at = |target: &str| Mount { target: Some(target.into()), ..missing.clone() };
        let memory = Mount { typ: Some(MountTypeEnum::TMPFS), ..missing.clone() };
        let nowhere = Mount { source: None, ..missing.clone() };
        let mixed = Mount { volume_options: Some(MountVolumeOptions::default()), ..missing.clone() };
        let mounts = |mount| HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() };
        let all = [
            refuse(binds(&["/:/a", "data:/a/"])),
            refuse(binds(&["relative"])),
            refuse(binds(&["data:/a:shared"])),
            refuse(mounts(missing.clone())),
            refuse(mounts(image)),
            refuse(mounts(nowhere)),
            refuse(mounts(at(""))),
            refuse(mounts(at("relative"))),
            refuse(mounts(at("//."))),
            refuse(mounts(memory)),
            refuse(mounts(mixed)),
        ];
        insta::assert_snapshot!(all.join("\n"));
        assert!(store.list().unwrap().iter().all(|volume| !volume.anonymous), "an anonymous volume was left");
    }
}
