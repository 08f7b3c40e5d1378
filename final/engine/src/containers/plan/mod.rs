//! From what was asked to the plan that a monitor carries out. Pure: what has to be looked up is in [`Facts`].
//!
//! 1. `mod.rs`: the parts put together.
//! 2. `process.rs`: the program, its environment, user, directory.
//! 3. `namespaces.rs`: which are its own, the host's, or another container's.
//! 4. `security.rs`: capabilities, system call filter, no-new-privileges, privileged.
//! 5. `limits.rs`, `devices.rs`: what it may use; `cdi.rs`: devices by the name that their vendor gives them.
//! 6. `files.rs`: `/etc/hosts`, `/etc/hostname`, `/etc/resolv.conf`.
//! 7. `log.rs`, `syslog.rs`, `log_tag.rs`: where its output goes.

pub(crate) mod cdi;
pub(crate) mod devices;
pub(crate) mod files;
pub(crate) mod limits;
pub(crate) mod log;
pub(crate) mod log_tag;
mod namespaces;
pub(crate) mod process;
pub(crate) mod security;
mod syslog;

use std::path::{Path, PathBuf};

use ::namespaces::mount::{Attributes, Source};
use ::namespaces::{Container, Mount, RootFs, defaults};
use network::Attachment as NetworkAttachment;
use skiff_runtime::Plan;
use skiff_runtime::plan::{Network, Stdin};
use unionfs::Overlay;
use volumes::{Attachment, Origin, in_mount_order, root_propagation};

use super::container::Places;
use super::record::Asked;
use crate::error::{Error, Result};
use devices::HostDevice;

/// What has to be known besides what was asked.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// What was asked.
    pub(crate) asked: &'a Asked,
    /// Where the container's files are.
    pub(crate) places: &'a Places,
    /// Below which cgroup its own is made.
    pub(crate) cgroup_parent: &'a str,
    /// The image's layers, the top one first.
    pub(crate) lowers: Vec<PathBuf>,
    /// What it holds of the networks.
    pub(crate) network: &'a NetworkAttachment,
    /// Variables that its links to other containers make.
    pub(crate) links: Vec<String>,
    /// The containers whose namespaces it shares.
    pub(crate) shared: Shared,
    /// The devices of the host that it gets.
    pub(crate) devices: Vec<HostDevice>,
    /// What else of the host comes with devices that were asked for by name.
    pub(crate) named: cdi::Edits,
    /// Block devices whose use is limited.
    pub(crate) throttles: Vec<cgroups::Throttle>,
    /// Block devices whose use is weighed.
    pub(crate) weights: Vec<cgroups::DeviceWeight>,
}

/// First processes of the containers whose namespaces are shared (`container:ID`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Shared {
    /// For `PidMode`.
    pub(crate) pid: Option<i32>,
    /// For `IpcMode`.
    pub(crate) ipc: Option<i32>,
}

/// The plan.
pub(crate) fn plan(facts: &Facts<'_>) -> Result<Plan> {
    let asked = facts.asked;
    let volumes = volumes(facts.asked, &facts.named.mounts, facts.places)?;
    let root = RootFs {
        path: facts.places.root(),
        readonly: asked.host.readonly_rootfs == Some(true),
        propagation: root_propagation(&volumes),
    };
    let security = security::of(&asked.host)?;
    let mut container = Container {
        init: asked.host.init == Some(true),
        namespaces: namespaces::of(facts),
        hostname: uts_is_own(asked).then(|| asked.config.hostname.clone()).flatten(),
        domainname: asked.config.domainname.clone().filter(|name| !name.is_empty()),
        mounts: mounts(asked),
        devices: defaults::devices(),
        masked_paths: paths(asked.host.masked_paths.as_deref()),
        readonly_paths: paths(asked.host.readonly_paths.as_deref()),
        sysctls: namespaces::sysctls(facts),
        process: process::of(asked, &facts.links, security)?,
        root,
    };
    container.devices.extend(facts.devices.iter().map(HostDevice::node));
    process::extend(&mut container.process, &facts.named);
    Ok(Plan {
        id: asked.id.clone(),
        record: facts.places.record.clone(),
        run: facts.places.run.clone(),
        cgroup: Some(cgroup(facts)?),
        overlay: Some(overlay(facts, &container.root.path)),
        network: match facts.network {
            NetworkAttachment::Host => Network::Container,
            _ => Network::Coming,
        },
        container,
        volumes,
        create_cwd: true,
        stdin: stdin(asked),
        log: log::of(asked, &facts.places.log(&asked.id))?,
        timings: false,
    })
}

fn uts_is_own(asked: &Asked) -> bool {
    asked.host.uts_mode.as_deref() != Some("host")
}

fn overlay(facts: &Facts<'_>, target: &Path) -> Overlay {
    Overlay {
        lowers: facts.lowers.clone(),
        upper: facts.places.upper(),
        work: facts.places.work(),
        target: target.to_owned(),
        // The kernel marks a volatile overlay by two more directories, and keeps its index there: 1 ms of a start, against a
        // sync that is done after the exit has been reported.
        volatile: false,
    }
}

fn cgroup(facts: &Facts<'_>) -> Result<cgroups::Plan> {
    let host = &facts.asked.host;
    let mut limits = limits::of(host)?;
    limits.throttles.clone_from(&facts.throttles);
    limits.blkio_weight_devices.clone_from(&facts.weights);
    limits.devices = match host.privileged {
        Some(true) => None,
        _ => Some(devices::rules(host, &facts.devices)?),
    };
    Ok(cgroups::Plan::new(parent(facts), &facts.asked.id, limits))
}

fn parent<'a>(facts: &'a Facts<'_>) -> &'a str {
    let asked = facts.asked.host.cgroup_parent.as_deref();
    asked.filter(|parent| !parent.is_empty()).unwrap_or(facts.cgroup_parent)
}

/// Where the cgroup of a container is, below the root of the cgroup trees.
pub(crate) fn cgroup_path(asked: &Asked, default_parent: &str) -> PathBuf {
    let parent = asked.host.cgroup_parent.as_deref().filter(|parent| !parent.is_empty()).unwrap_or(default_parent);
    cgroups::Plan::new(parent, &asked.id, cgroups::Limits::default()).path
}

/// The kernel's file systems, `/dev/shm` in the size that was asked for.
fn mounts(asked: &Asked) -> Vec<Mount> {
    let privileged = asked.host.privileged == Some(true);
    let size = asked.host.shm_size.unwrap_or(super::request::defaults::SHM_SIZE);
    let shared = asked.host.ipc_mode.as_deref() == Some("host");
    let covered = asked.mounts.iter().any(|mounted| mounted.attachment.mount.target == Path::new("/dev/shm"));
    let mut mounts = defaults::mounts();
    if covered || asked.host.ipc_mode.as_deref() == Some("none") {
        mounts.retain(|mount| mount.target != Path::new("/dev/shm"));
    }
    for mount in &mut mounts {
        match &mut mount.source {
            Source::New { .. } if shared && mount.target == Path::new("/dev/shm") => {
                *mount = Mount::bind("/dev/shm", "/dev/shm");
            }
            Source::New { options, .. } if mount.target == Path::new("/dev/shm") => {
                options.retain(|option| !option.starts_with("size="));
                options.push(format!("size={size}"));
            }
            Source::New { kind, .. } if kind == "sysfs" && privileged => mount.attributes.readonly = false,
            Source::Cgroup if privileged => mount.attributes.readonly = false,
            _ => {}
        }
    }
    mounts
}

/// The volumes that were asked for and the three files of `/etc`, the outer before the inner. A file for which a volume was
/// asked is not ours.
pub(super) fn volumes(asked: &Asked, named: &[Attachment], places: &Places) -> Result<Vec<Attachment>> {
    let mut all: Vec<_> = asked.mounts.iter().map(|mounted| mounted.attachment.clone()).collect();
    all.extend(named.iter().cloned());
    for name in files::NAMES {
        let target = Path::new("/etc").join(name);
        if all.iter().any(|attachment| attachment.mount.target == target) {
            continue;
        }
        let attributes = Attributes {
            readonly: asked.host.readonly_rootfs == Some(true),
            propagation: Some(::namespaces::Propagation::Private),
            ..Attributes::default()
        };
        let mount = Mount { attributes, ..Mount::bind(places.etc(name), target) };
        all.push(Attachment { mount, origin: Origin::Host { create: false } });
    }
    in_mount_order(all).map_err(Error::refusal)
}

fn paths(texts: Option<&[String]>) -> Vec<PathBuf> {
    texts.unwrap_or_default().iter().map(PathBuf::from).collect()
}

fn stdin(asked: &Asked) -> Stdin {
    match (asked.config.open_stdin == Some(true), asked.config.stdin_once == Some(true)) {
        (false, _) => Stdin::Closed,
        (true, false) => Stdin::Open,
        (true, true) => Stdin::Once,
    }
}

#[cfg(test)]
mod tests;
