//! From a bundle's `config.json` to a [`Plan`]: pure, so that it can be read back in a test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cgroups::Limits;
use namespaces::{Capabilities, Clocks, Container, Device, Failure, Namespace, Namespaces, Process, Result, Rlimit};
use namespaces::{RootFs, UserSpec, defaults};

use super::config::{self, ClockOffset, Config, Linux};
use super::{mounts, resources, scheduling, seccomp};
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

/// The program of a container, with the filter of its container. A container can be created without one, and never started
/// (config.md: "This property is REQUIRED when start is called").
fn process(config: &Config) -> Result<Process> {
    let Some(wanted) = &config.process else { return Ok(Process { cwd: "/".into(), ..Process::default() }) };
    if wanted.args.is_empty() {
        return Err(missing("process.args"));
    }
    let filter = config.linux.seccomp.as_ref().map(seccomp::program).transpose()?;
    let personality = config.linux.personality.as_ref().map(scheduling::personality).transpose()?;
    Ok(Process { seccomp: filter, personality, ..program(wanted)? })
}

/// The program without a filter: what an exec is described by.
pub(crate) fn program(wanted: &config::Process) -> Result<Process> {
    refuse("process", &[(wanted.selinux_label.as_ref().is_some_and(|label| !label.is_empty()), "selinuxLabel")])?;
    if !wanted.cwd.is_absolute() {
        return Err(Failure::new("use config.json", "it is not an absolute path")
            .on(format!("process.cwd {:?}", wanted.cwd.display())));
    }
    Ok(Process {
        args: wanted.args.clone(),
        env: last_of_each_name(&wanted.env),
        cwd: wanted.cwd.clone(),
        user: user(&wanted.user),
        terminal: wanted.terminal,
        console_size: wanted.console_size.as_ref().map(|size| (size.width, size.height)),
        capabilities: capabilities(wanted.capabilities.as_ref()),
        no_new_privileges: wanted.no_new_privileges,
        seccomp: None,
        rlimits: rlimits(&wanted.rlimits)?,
        oom_score_adj: wanted.oom_score_adj,
        apparmor: wanted.apparmor_profile.clone().filter(|profile| !profile.is_empty()),
        umask: wanted.user.umask,
        scheduler: wanted.scheduler.as_ref().map(scheduling::scheduler).transpose()?,
        io_priority: wanted.io_priority.as_ref().map(scheduling::io_priority).transpose()?,
        ..Process::default()
    })
}

/// A variable that is there twice has its last value: programs disagree about which of two they take.
fn last_of_each_name(env: &[String]) -> Vec<String> {
    let name = |variable: &str| variable.split_once('=').map_or(variable, |(name, _)| name).to_owned();
    let mut seen = BTreeSet::new();
    let mut kept: Vec<_> = env.iter().rev().filter(|variable| seen.insert(name(variable))).cloned().collect();
    kept.reverse();
    kept
}

/// The specification wants a limit that is there twice refused, and not one of the two chosen.
fn rlimits(wanted: &[config::Rlimit]) -> Result<Vec<Rlimit>> {
    let mut limits: Vec<Rlimit> = Vec::with_capacity(wanted.len());
    for config::Rlimit { kind, soft, hard } in wanted {
        let short = kind.strip_prefix("RLIMIT_").ok_or_else(|| strange("process.rlimits", kind))?;
        if limits.iter().any(|limit| limit.kind == short) {
            return Err(Failure::new("use config.json", "it is there twice").on(format!("process.rlimits {kind}")));
        }
        limits.push(Rlimit { kind: short.to_owned(), soft: *soft, hard: *hard });
    }
    Ok(limits)
}

pub(crate) fn user(user: &config::User) -> UserSpec {
    let name = user.username.as_ref().filter(|name| !name.is_empty());
    UserSpec {
        user: name.cloned().unwrap_or_else(|| format!("{}:{}", user.uid, user.gid)),
        groups: user.additional_gids.iter().map(u32::to_string).collect(),
        exact_groups: true,
    }
}

/// Names that are no capability of any kernel. The specification wants a warning and not a failure: a config is written
/// for kernels to come.
pub(crate) fn unknown_capabilities(wanted: &config::Process) -> BTreeSet<&String> {
    let sets = wanted.capabilities.iter().flat_map(|sets| {
        [&sets.bounding, &sets.effective, &sets.permitted, &sets.inheritable, &sets.ambient].into_iter().flatten()
    });
    sets.filter(|name| namespaces::capabilities::parse(name).is_err()).collect()
}

fn capabilities(wanted: Option<&config::Capabilities>) -> Capabilities {
    let known = |name: &&String| namespaces::capabilities::parse(name).is_ok();
    let bare =
        |names: &[String]| names.iter().filter(known).map(|name| name.trim_start_matches("CAP_").to_owned()).collect();
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
    let mut all = Namespaces {
        pid: Host,
        mount: Host,
        uts: Host,
        ipc: Host,
        net: Host,
        cgroup: Host,
        user: Host,
        time: Host,
        uid_map: mounts::id_map(&linux.uid_mappings),
        gid_map: mounts::id_map(&linux.gid_mappings),
        clocks: clocks(&linux.time_offsets)?,
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
    // With neither of the two, root inside is whoever runs this, alone.
    if all.user == Namespace::New && all.uid_map.is_empty() != all.gid_map.is_empty() {
        return Err(missing("linux.uidMappings or linux.gidMappings").hint("Give both, or neither."));
    }
    if all.user == Host && !(all.uid_map.is_empty() && all.gid_map.is_empty()) {
        return Err(missing("the user namespace of linux.uidMappings").hint("Add {\"type\": \"user\"}."));
    }
    if all.time != Namespace::New && all.clocks != Clocks::default() {
        return Err(missing("the new time namespace of linux.timeOffsets").hint("Add {\"type\": \"time\"}."));
    }
    if all.mount == Host {
        return Err(Failure::new("use config.json", "a container needs a mount namespace of its own")
            .on("linux.namespaces")
            .hint("Add {\"type\": \"mount\"}."));
    }
    Ok(all)
}

fn clocks(offsets: &BTreeMap<String, ClockOffset>) -> Result<Clocks> {
    let mut clocks = Clocks::default();
    for (clock, ClockOffset { secs, nanosecs }) in offsets {
        let offset = i128::from(*secs) * 1_000_000_000 + i128::from(*nanosecs);
        match clock.as_str() {
            "monotonic" => clocks.monotonic = offset,
            "boottime" => clocks.boottime = offset,
            other => return Err(strange("linux.timeOffsets", other)),
        }
    }
    Ok(clocks)
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

/// The limits of a config that asks for none: the usual devices are not a limit that anybody asked for.
pub(crate) fn no_limits() -> Limits {
    Limits { devices: Some(cgroups::DeviceRule::defaults()), ..Limits::default() }
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
    let unknown = [
        (linux.intel_rdt.is_some(), "intelRdt"),
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

pub(crate) fn missing(what: &str) -> Failure {
    Failure::new("use config.json", "it is missing").on(what)
}

pub(crate) fn strange(what: &str, value: impl std::fmt::Display) -> Failure {
    Failure::new("use config.json", "it is not a value of the specification").on(format!("{what} {value}"))
}
