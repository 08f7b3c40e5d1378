//! From a bundle's `config.json` to a [`Plan`]: pure, so that it can be read back in a test.

use std::path::{Path, PathBuf};

use cgroups::Limits;
use namespaces::{Capabilities, Container, Device, Failure, IdMap, Namespace, Namespaces, Process, Result, Rlimit};
use namespaces::{RootFs, UserSpec, defaults};

use super::config::{self, Config, IdMapping, Linux};
use super::{mounts, resources, seccomp};
use crate::plan::Plan;

/// Where groups are made when `cgroupsPath` says nothing.
const PARENT: &str = "skiff-runtime";

/// The plan of container `id` in the directory `bundle` (absolute).
pub(crate) fn plan(config: &Config, bundle: &Path, id: &str) -> Result<Plan> {
    refuse_unknown(config)?;
    let linux = &config.linux;
    let root = config.root.as_ref().ok_or_else(|| missing("root"))?;
    let propagation = linux.rootfs_propagation.as_deref().filter(|word| !word.is_empty());
    let propagation =
        propagation.map(|word| mounts::propagation(word).ok_or_else(|| strange("rootfsPropagation", word)));
    let container = Container {
        init: false,
        namespaces: namespaces(linux)?,
        hostname: config.hostname.clone().filter(|name| !name.is_empty()),
        domainname: config.domainname.clone().filter(|name| !name.is_empty()),
        root: RootFs {
            path: bundle.join(&root.path),
            readonly: root.readonly,
            propagation: propagation.transpose()?.map(|(propagation, _)| propagation).unwrap_or_default(),
        },
        mounts: config.mounts.iter().map(|mount| mounts::mount(mount, bundle)).collect::<Result<_>>()?,
        devices: devices(config),
        masked_paths: linux.masked_paths.clone(),
        readonly_paths: linux.readonly_paths.clone(),
        sysctls: linux.sysctl.clone(),
        process: process(config)?,
    };
    let cgroup = Some(cgroups::Plan { path: cgroup_path(linux, id)?, limits: limits(linux)? });
    Ok(Plan { id: id.to_owned(), container, cgroup, ..Plan::default() })
}

/// The program of a container, with the filter of its container.
fn process(config: &Config) -> Result<Process> {
    let wanted = config.process.as_ref().ok_or_else(|| missing("process"))?;
    let filter = config.linux.seccomp.as_ref().map(seccomp::program).transpose()?;
    Ok(Process { seccomp: filter, ..program(wanted)? })
}

/// The program without a filter: what an exec is described by.
pub(crate) fn program(wanted: &config::Process) -> Result<Process> {
    let unknown = [
        (wanted.scheduler.is_some(), "scheduler"),
        (wanted.io_priority.is_some(), "ioPriority"),
        (wanted.exec_cpu_affinity.is_some(), "execCPUAffinity"),
        (wanted.selinux_label.as_ref().is_some_and(|label| !label.is_empty()), "selinuxLabel"),
    ];
    refuse("process", &unknown)?;
    if !wanted.cwd.is_absolute() {
        return Err(Failure::new("use config.json", "it is not an absolute path")
            .on(format!("process.cwd {:?}", wanted.cwd.display())));
    }
    let rlimit = |limit: &config::Rlimit| Rlimit {
        kind: limit.kind.trim_start_matches("RLIMIT_").to_owned(),
        soft: limit.soft,
        hard: limit.hard,
    };
    Ok(Process {
        args: wanted.args.clone(),
        env: wanted.env.clone(),
        cwd: wanted.cwd.clone(),
        user: user(&wanted.user),
        terminal: wanted.terminal,
        console_size: wanted.console_size.as_ref().map(|size| (size.width, size.height)),
        capabilities: capabilities(wanted.capabilities.as_ref()),
        no_new_privileges: wanted.no_new_privileges,
        seccomp: None,
        rlimits: wanted.rlimits.iter().map(rlimit).collect(),
        oom_score_adj: wanted.oom_score_adj,
        apparmor: wanted.apparmor_profile.clone().filter(|profile| !profile.is_empty()),
        umask: wanted.user.umask,
        preserve_fds: 0,
    })
}

pub(crate) fn user(user: &config::User) -> UserSpec {
    UserSpec {
        user: format!("{}:{}", user.uid, user.gid),
        groups: user.additional_gids.iter().map(u32::to_string).collect(),
        exact_groups: true,
    }
}

fn capabilities(wanted: Option<&config::Capabilities>) -> Capabilities {
    let bare = |names: &[String]| names.iter().map(|name| name.trim_start_matches("CAP_").to_owned()).collect();
    let Some(wanted) = wanted else { return Capabilities::default() };
    Capabilities {
        bounding: bare(&wanted.bounding),
        effective: bare(&wanted.effective),
        permitted: bare(&wanted.permitted),
        inheritable: bare(&wanted.inheritable),
        ambient: bare(&wanted.ambient),
    }
}

/// What the list names is new, or joined by its path; what it does not name is the runtime's own.
fn namespaces(linux: &Linux) -> Result<Namespaces> {
    use Namespace::Host;
    let maps = |maps: &[IdMapping]| {
        let map = |map: &IdMapping| IdMap { inside: map.container_id, outside: map.host_id, size: map.size };
        maps.iter().map(map).collect()
    };
    let mut all = Namespaces {
        pid: Host,
        mount: Host,
        uts: Host,
        ipc: Host,
        net: Host,
        cgroup: Host,
        user: Host,
        time: Host,
        uid_map: maps(&linux.uid_mappings),
        gid_map: maps(&linux.gid_mappings),
    };
    for wanted in &linux.namespaces {
        let place = match wanted.kind.as_str() {
            "pid" => &mut all.pid,
            "mount" => &mut all.mount,
            "uts" => &mut all.uts,
            "ipc" => &mut all.ipc,
            "network" => &mut all.net,
            "cgroup" => &mut all.cgroup,
            "user" => &mut all.user,
            "time" => &mut all.time,
            other => return Err(strange("linux.namespaces", other)),
        };
        if *place != Host {
            return Err(Failure::new("use config.json", "it is there twice").on(format!("namespace {}", wanted.kind)));
        }
        let path = wanted.path.clone().filter(|path| !path.as_os_str().is_empty());
        *place = path.map_or(Namespace::New, Namespace::Join);
    }
    if all.mount == Host {
        return Err(Failure::new("use config.json", "a container needs a mount namespace of its own")
            .on("linux.namespaces")
            .hint("Add {\"type\": \"mount\"}."));
    }
    Ok(all)
}

/// The devices that every container has (config-linux.md, "Default Devices"), and those that are asked for. A `/dev` that
/// is bound from outside is left as it is.
fn devices(config: &Config) -> Vec<Device> {
    let is_bound = |mount: &config::Mount| {
        let bind = |option: &String| option == "bind" || option == "rbind";
        mount.destination == Path::new("/dev") && (mount.kind == "bind" || mount.options.iter().any(bind))
    };
    if config.mounts.iter().any(is_bound) {
        return Vec::new();
    }
    let wanted = config.linux.devices.iter().map(|device| Device {
        path: device.path.clone(),
        kind: device.kind,
        major: device.major,
        minor: device.minor,
        mode: device.file_mode.unwrap_or(0o666) & 0o7777,
        uid: device.uid,
        gid: device.gid,
    });
    let wanted: Vec<_> = wanted.collect();
    let usual = defaults::devices().into_iter().filter(|usual| wanted.iter().all(|device| device.path != usual.path));
    usual.chain(wanted.iter().cloned()).collect()
}

fn limits(linux: &Linux) -> Result<Limits> {
    let limits = resources::limits(&linux.resources)?;
    limits.validate()?;
    Ok(limits)
}

/// `cgroupsPath` from the root of the trees; a relative one, and none, below [`PARENT`].
fn cgroup_path(linux: &Linux, id: &str) -> Result<PathBuf> {
    let Some(path) = linux.cgroups_path.as_ref().filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(Path::new(PARENT).join(id));
    };
    if path.to_string_lossy().split(':').count() == 3 {
        return Err(strange("cgroupsPath", path.display()).hint(
            "SLICE:PREFIX:NAME is systemd's way to name a group; give a path, or configure the cgroupfs driver.",
        ));
    }
    Ok(path.strip_prefix("/").map_or_else(|_| Path::new(PARENT).join(path), Path::to_path_buf))
}

fn refuse_unknown(config: &Config) -> Result<()> {
    let version = &config.oci_version;
    if !version.starts_with("1.") {
        return Err(Failure::new("use config.json", "this runtime knows version 1 of the specification")
            .on(format!("ociVersion {version:?}")));
    }
    let linux = &config.linux;
    let personality = linux.personality.as_ref().and_then(|personality| personality.get("domain"));
    let unknown = [
        (linux.intel_rdt.is_some(), "intelRdt"),
        (personality.is_some_and(|domain| domain != "LINUX"), "personality"),
        (!linux.time_offsets.is_empty(), "timeOffsets"),
        (linux.mount_label.as_ref().is_some_and(|label| !label.is_empty()), "mountLabel"),
    ];
    refuse("linux", &unknown)
}

fn refuse(part: &str, unknown: &[(bool, &str)]) -> Result<()> {
    match unknown.iter().find(|(used, _)| *used) {
        Some((_, name)) => Err(Failure::new("use config.json", "this runtime does not have it")
            .on(format!("{part}.{name}"))
            .hint("Remove it from config.json.")),
        None => Ok(()),
    }
}

fn missing(what: &str) -> Failure {
    Failure::new("use config.json", "it is missing").on(what)
}

fn strange(what: &str, value: impl std::fmt::Display) -> Failure {
    Failure::new("use config.json", "it is not a value of the specification").on(format!("{what} {value}"))
}
