//! `version`, `info`, `system df`: the engine about itself and the machine it runs on.
//!
//! Clients print `info` with templates that fail on a missing list, so every list and object is there, empty if need be.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use bollard_stubs::models::{
    Commit, EventMessage, ImageSummary, IndexInfo, LocalNodeState, PluginsInfo, RegistryServiceConfig, Runtime,
    SwarmInfo, SystemDataUsageResponse, SystemInfo, SystemInfoCgroupDriverEnum, SystemInfoCgroupVersionEnum,
    SystemVersion, SystemVersionComponents, SystemVersionPlatform,
};
use futures_util::{Stream, StreamExt};
use images::Reference;
use jiff::Timestamp;
use namespaces::Context;

use crate::containers::LOG_DRIVERS;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::events::Event;
use crate::filters::Filters;
use crate::uses::Counts;

/// The API's version that all answers follow.
pub const API_VERSION: &str = "1.51";
/// The oldest version that is accepted.
pub const MIN_API_VERSION: &str = "1.24";
/// The engine's own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `docker version` shows below "Server".
pub fn version() -> SystemVersion {
    let kernel = rustix::system::uname();
    let kernel = kernel.release().to_string_lossy().into_owned();
    let details = [
        ("ApiVersion", API_VERSION),
        ("MinAPIVersion", MIN_API_VERSION),
        ("Arch", architecture()),
        ("Os", "linux"),
        ("KernelVersion", &kernel),
        ("Experimental", "false"),
        ("GitCommit", ""),
        ("GoVersion", ""),
        ("BuildTime", ""),
    ];
    let details = details.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    SystemVersion {
        platform: Some(SystemVersionPlatform { name: "Skiff".into() }),
        components: Some(vec![SystemVersionComponents {
            name: "Engine".into(),
            version: VERSION.into(),
            details: Some(details),
        }]),
        version: Some(VERSION.into()),
        api_version: Some(API_VERSION.into()),
        min_api_version: Some(MIN_API_VERSION.into()),
        git_commit: Some(String::new()),
        // Clients print it; there is no Go in here, and an empty string says so.
        go_version: Some(String::new()),
        os: Some("linux".into()),
        arch: Some(architecture().into()),
        kernel_version: Some(kernel),
        experimental: Some(false),
        build_time: Some(String::new()),
    }
}

/// The machine's architecture in the words of image manifests (Go's): `amd64`.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

impl Engine {
    /// What `docker info` shows.
    pub fn info(&self) -> Result<SystemInfo> {
        let Counts { all, running, paused } = self.count_containers();
        Ok(SystemInfo {
            id: Some(self.identity()?),
            containers: Some(as_count(all)),
            containers_running: Some(as_count(running)),
            containers_paused: Some(as_count(paused)),
            containers_stopped: Some(as_count(all - running - paused)),
            images: Some(as_count(self.images.count())),
            driver: Some("overlayfs".into()),
            driver_status: Some(vec![pair("Backing Filesystem", &file_system(&self.config.data_root))]),
            docker_root_dir: Some(self.config.data_root.display().to_string()),
            registry_config: Some(self.registries()),
            debug: Some(tracing::enabled!(tracing::Level::DEBUG)),
            runtimes: Some(self.runtimes()),
            labels: Some(self.live().labels.clone()),
            cdi_spec_dirs: Some(self.config.cdi_spec_dirs.iter().map(|path| path.display().to_string()).collect()),
            logging_driver: Some(self.config.defaults.log_driver.clone()).filter(|driver| !driver.is_empty()),
            ..machine(fixed())
        })
    }

    /// What `docker system df` shows: sizes of everything, or of the `kinds` that are given: `container`, `image`, `volume`,
    /// `build-cache`. Reads whole directories, so it takes its time.
    ///
    /// # Errors
    /// 400 for a kind that there is not.
    pub async fn usage(&self, kinds: &[String]) -> Result<SystemDataUsageResponse> {
        const KINDS: [&str; 4] = ["container", "image", "volume", "build-cache"];
        if let Some(unknown) = kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            return Err(Error::invalid(format!("unknown object type: {unknown}"))
                .hint(format!("The types are: {}.", KINDS.join(", "))));
        }
        let wanted = |name: &str| kinds.is_empty() || kinds.iter().any(|kind| kind == name);
        let mut usage = SystemDataUsageResponse {
            build_cache: wanted("build-cache").then(Vec::new),
            ..SystemDataUsageResponse::default()
        };
        if wanted("image") {
            usage.layers_size = Some(self.images.layers_size()?);
            usage.images = Some(self.count_users(self.list_images(&Filters::default(), false)?));
        }
        if wanted("container") {
            usage.containers = Some(self.containers_usage().await?);
        }
        if wanted("volume") {
            usage.volumes = Some(self.volumes_usage().await?);
        }
        Ok(usage)
    }

    /// Fills in how many containers each image has, and how much of it others have too.
    fn count_users(&self, mut images: Vec<ImageSummary>) -> Vec<ImageSummary> {
        let (used, shared) = (self.images_in_use(), self.images.shared_sizes());
        for image in &mut images {
            image.containers = as_count(used.iter().filter(|user| user.image.to_string() == image.id).count());
            image.shared_size = shared.get(&image.id).copied().unwrap_or_default();
        }
        images
    }

    /// What happens, as it happens. Filters: those of `docker events`.
    pub fn watch(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        filters: Filters,
    ) -> Result<impl Stream<Item = Event> + Send + use<>> {
        filters.only(&[
            "container",
            "daemon",
            "event",
            "image",
            "label",
            "network",
            "plugin",
            "scope",
            "type",
            "volume",
            "config",
            "node",
            "secret",
            "service",
        ])?;
        if let (Some(since), Some(until)) = (since, until)
            && until < since
        {
            return Err(Error::invalid(format!("`since` time ({since}) cannot be after `until` time ({until})")));
        }
        let events = self.events.subscribe(since, until);
        Ok(events.filter(move |event| std::future::ready(passes(event, &filters))).map(Event::from))
    }

    /// Made once and kept, so that a client can tell two engines apart.
    pub(crate) fn identity(&self) -> Result<String> {
        let path = self.config.data_root.join("engine-id");
        if let Ok(identity) = fs::read_to_string(&path) {
            return Ok(identity.trim().to_owned());
        }
        let source = "/proc/sys/kernel/random/uuid";
        let identity = fs::read_to_string(source).during("read", source)?;
        fs::write(&path, &identity).during("write", path.display())?;
        Ok(identity.trim().to_owned())
    }

    fn registries(&self) -> RegistryServiceConfig {
        let live = self.live();
        let mirrors = live.registry_mirrors.clone();
        let index = |name: &str, secure, official, mirrors| {
            let info = IndexInfo { name: Some(name.into()), mirrors: Some(mirrors), secure, official };
            (name.to_owned(), info)
        };
        let mut indexes = HashMap::from([index("docker.io", Some(true), Some(true), mirrors.clone())]);
        indexes.extend(live.insecure_registries.iter().map(|name| index(name, Some(false), Some(false), Vec::new())));
        RegistryServiceConfig {
            insecure_registry_cidrs: Some(vec!["127.0.0.0/8".into(), "::1/128".into()]),
            index_configs: Some(indexes),
            mirrors: Some(mirrors),
        }
    }

    fn runtimes(&self) -> HashMap<String, Runtime> {
        let path =
            self.config.runtime.as_ref().map_or_else(|| "skiff-runtime".into(), |path| path.display().to_string());
        HashMap::from([(
            RUNTIME.into(),
            Runtime { path: Some(path), runtime_args: None, status: Some(HashMap::new()) },
        )])
    }
}

/// `event=die`, `type=container`, `container=NAME`, `label=a=b`: what docker compares with the event's actor.
fn passes(event: &EventMessage, filters: &Filters) -> bool {
    let none = HashMap::new();
    let actor = event.actor.as_ref();
    let attributes = actor.and_then(|actor| actor.attributes.as_ref()).unwrap_or(&none);
    let id = actor.and_then(|actor| actor.id.as_deref()).unwrap_or_default();
    let kind = event.typ.map(|kind| kind.to_string()).unwrap_or_default();
    let action = event.action.as_deref().unwrap_or_default();
    let named = |name: &str| {
        let fits = |wanted: &str| id.starts_with(wanted) || attributes.get("name").is_some_and(|name| name == wanted);
        filters.get(name).is_empty()
            || (kind == name && filters.any(name, fits))
            || attributes.get(name).is_some_and(|of| filters.any(name, |wanted| wanted == of))
    };
    // An image is meant with its tag or without: in its own events it is the name, in a container's one of the attributes.
    let image = || {
        let candidates = [Some(id), attributes.get(if kind == "image" { "name" } else { "image" }).map(String::as_str)];
        let untagged =
            |name: &str| name.parse().map_or_else(|_| name.to_owned(), |name: Reference| name.familiar_name());
        let fits = |wanted: &str| candidates.iter().flatten().any(|name| *name == wanted || untagged(name) == wanted);
        filters.any("image", fits)
    };
    // `exec_start: sh` and `health_status: healthy` are found by what is before the colon as well.
    filters.any("event", |wanted| action == wanted || action.split(':').next() == Some(wanted))
        && filters.any("type", |wanted| kind == wanted)
        && filters.any("scope", |wanted| wanted == "local")
        && filters.labels(attributes)
        && ["container", "network", "volume"].into_iter().all(named)
        && image()
}

/// The only runtime there is.
const RUNTIME: &str = "skiff-runtime";

/// What is the same for every engine of this version.
fn fixed() -> SystemInfo {
    let list = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
    let commit = || Some(Commit { id: Some(String::new()) });
    SystemInfo {
        plugins: Some(PluginsInfo {
            volume: list(&["local"]),
            network: list(&["bridge", "host", "null"]),
            authorization: list(&[]),
            log: list(&LOG_DRIVERS),
        }),
        memory_limit: Some(true),
        swap_limit: Some(true),
        cpu_cfs_period: Some(true),
        cpu_cfs_quota: Some(true),
        cpu_shares: Some(true),
        cpu_set: Some(true),
        pids_limit: Some(true),
        oom_kill_disable: Some(false),
        n_goroutines: Some(0),
        n_events_listener: Some(0),
        logging_driver: Some("json-file".into()),
        cgroup_driver: Some(SystemInfoCgroupDriverEnum::CGROUPFS),
        index_server_address: Some("https://index.docker.io/v1/".into()),
        generic_resources: Some(Vec::new()),
        http_proxy: Some(String::new()),
        https_proxy: Some(String::new()),
        no_proxy: Some(String::new()),
        labels: list(&[]),
        experimental_build: Some(false),
        server_version: Some(VERSION.into()),
        default_runtime: Some(RUNTIME.into()),
        swarm: Some(SwarmInfo {
            node_id: Some(String::new()),
            node_addr: Some(String::new()),
            local_node_state: Some(LocalNodeState::INACTIVE),
            control_available: Some(false),
            error: Some(String::new()),
            remote_managers: Some(Vec::new()),
            ..SwarmInfo::default()
        }),
        // Containers are processes of their own monitors: a daemon that ends does not end them.
        live_restore_enabled: Some(true),
        init_binary: Some(String::new()),
        containerd_commit: commit(),
        runc_commit: commit(),
        init_commit: commit(),
        security_options: list(&["name=seccomp,profile=builtin", "name=cgroupns"]),
        product_license: Some(String::new()),
        default_address_pools: Some(Vec::new()),
        warnings: list(&[]),
        cdi_spec_dirs: list(&[]),
        ..SystemInfo::default()
    }
}

/// What the machine says about itself, added to `info`.
fn machine(info: SystemInfo) -> SystemInfo {
    let names = rustix::system::uname();
    let memory = rustix::system::sysinfo();
    let release = os_release();
    let from = |key: &str| release.get(key).cloned().unwrap_or_default();
    let switched_on = |path: &str| Some(fs::read_to_string(path).is_ok_and(|text| text.trim() == "1"));
    let version2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    SystemInfo {
        ipv4_forwarding: switched_on("/proc/sys/net/ipv4/ip_forward"),
        bridge_nf_iptables: switched_on("/proc/sys/net/bridge/bridge-nf-call-iptables"),
        bridge_nf_ip6tables: switched_on("/proc/sys/net/bridge/bridge-nf-call-ip6tables"),
        nfd: Some(fs::read_dir("/proc/self/fd").map_or(0, |entries| as_count(entries.count()))),
        system_time: Some(Timestamp::now().to_string()),
        cgroup_version: Some(if version2 { SystemInfoCgroupVersionEnum::_2 } else { SystemInfoCgroupVersionEnum::_1 }),
        kernel_version: Some(names.release().to_string_lossy().into_owned()),
        operating_system: Some(Some(from("PRETTY_NAME")).filter(|name| !name.is_empty()).unwrap_or("Linux".into())),
        os_version: Some(from("VERSION_ID")),
        os_type: Some("linux".into()),
        architecture: Some(names.machine().to_string_lossy().into_owned()),
        ncpu: Some(std::thread::available_parallelism().map_or(1, |count| as_count(count.get()))),
        mem_total: i64::try_from(memory.totalram.saturating_mul(u64::from(memory.mem_unit))).ok(),
        name: Some(names.nodename().to_string_lossy().into_owned()),
        ..info
    }
}

/// `/etc/os-release` (os-release(5)): `KEY=value` or `KEY="value"`.
fn os_release() -> HashMap<String, String> {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pair = |line: &str| {
        let (key, value) = line.split_once('=')?;
        Some((key.to_owned(), value.trim_matches('"').to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

/// What is below the data root: the layers' and the containers' file system.
fn file_system(path: &Path) -> String {
    match rustix::fs::statfs(path).map(|status| status.f_type) {
        Ok(0xef53) => "extfs".into(),
        Ok(0x5846_5342) => "xfs".into(),
        Ok(0x9123_683e) => "btrfs".into(),
        Ok(0x0102_1994) => "tmpfs".into(),
        Ok(other) => format!("0x{other:x}"),
        Err(_) => "unknown".into(),
    }
}

fn pair(name: &str, value: &str) -> Vec<String> {
    vec![name.to_owned(), value.to_owned()]
}

fn as_count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients print these with templates that fail on null.
    #[test]
    fn no_list_of_info_is_missing() {
        let info = serde_json::to_value(machine(fixed())).unwrap();
        for name in ["Labels", "SecurityOptions", "Warnings", "GenericResources", "DefaultAddressPools", "CDISpecDirs"]
        {
            assert!(info[name].is_array(), "{name}");
        }
        for name in ["Volume", "Network", "Authorization", "Log"] {
            assert!(info["Plugins"][name].is_array(), "{name}");
        }
        assert_eq!(info["Swarm"]["LocalNodeState"], "inactive");
        assert!(info["MemTotal"].as_i64().unwrap() > 0 && info["NCPU"].as_i64().unwrap() > 0);
    }

    #[test]
    fn the_version_says_what_negotiation_needs() {
        let version = serde_json::to_value(version()).unwrap();
        assert_eq!((&version["ApiVersion"], &version["MinAPIVersion"]), (&"1.51".into(), &"1.24".into()));
        assert_eq!(version["Components"][0]["Name"], "Engine");
    }
}
