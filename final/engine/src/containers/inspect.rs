//! One container as the API shows it.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bollard_stubs::models::{
    ContainerInspectResponse, ContainerState, DriverData, HostConfig, MountPoint, MountPointTypeEnum, NetworkSettings,
};
use jiff::Timestamp;
use namespaces::Propagation;
use namespaces::mount::Source;
use volumes::Origin;

use super::container::Container;
use super::plan::log;
use super::record::{Asked, Mounted, State, Status};
use super::{Containers, blocking, links};
use crate::error::Result;
use crate::networks;

impl Containers {
    /// Everything about a container. With `size` also the bytes of its writable layer and of its whole root, which takes a
    /// walk over the layer.
    ///
    /// # Errors
    /// 404.
    pub async fn inspect(&self, name: &str, size: bool) -> Result<ContainerInspectResponse> {
        let container = self.find(name)?;
        let mut shown = self.show(&container);
        if size {
            let (rw, root) = self.sizes(&container).await?;
            (shown.size_rw, shown.size_root_fs) = (Some(rw), Some(root));
        }
        Ok(shown)
    }

    fn show(&self, container: &Container) -> ContainerInspectResponse {
        let (asked, state) = (container.asked(), container.state());
        let path = |path: std::path::PathBuf| Some(path.display().to_string());
        let mut words = asked.config.entrypoint.iter().flatten().chain(asked.config.cmd.iter().flatten()).cloned();
        let text = |text: &str| Some(text.to_owned());
        let execs = self.running_execs(&container.id);
        ContainerInspectResponse {
            id: Some(container.id.clone()),
            created: Some(asked.created.to_string()),
            path: words.next(),
            args: Some(words.collect()),
            state: Some(show_state(&state)),
            image: Some(asked.image.to_string()),
            resolv_conf_path: path(container.places.etc("resolv.conf")),
            hostname_path: path(container.places.etc("hostname")),
            hosts_path: path(container.places.etc("hosts")),
            log_path: if log::is(&asked.host, "json-file") {
                path(container.places.log(&container.id))
            } else {
                text("")
            },
            name: Some(format!("/{}", asked.name)),
            restart_count: Some(state.restarts.into()),
            driver: text("overlay"),
            platform: text("linux"),
            mount_label: text(""),
            process_label: text(""),
            app_armor_profile: text(""),
            exec_ids: Some(execs).filter(|execs| !execs.is_empty()),
            host_config: Some(show_host(&asked)),
            graph_driver: Some(self.layers(container, &asked)),
            mounts: Some(show_mounts(&asked)),
            config: Some(asked.config.clone()),
            network_settings: Some(self.network_settings(&asked, &state)),
            ..ContainerInspectResponse::default()
        }
    }

    pub(super) fn network_settings(&self, asked: &Asked, state: &State) -> NetworkSettings {
        let sandbox = state.pid.map(|pid| format!("/proc/{pid}/ns/net"));
        networks::settings(&self.shared.networks, state.network.as_ref(), &asked.networks, sandbox)
    }

    fn layers(&self, container: &Container, asked: &Asked) -> DriverData {
        let lowers = self.shared.images.find(&asked.image.to_string()).map(|image| self.shared.images.lowers(&image));
        let lowers: Vec<_> = lowers.unwrap_or_default().iter().map(|lower| lower.display().to_string()).collect();
        let below = |name: &str| container.places.record.join(name).display().to_string();
        let data = [
            ("LowerDir", lowers.join(":")),
            ("MergedDir", below("rootfs")),
            ("UpperDir", below("upper")),
            ("WorkDir", below("work")),
        ];
        DriverData { name: "overlay".to_owned(), data: data.map(|(key, value)| (key.to_owned(), value)).into() }
    }

    /// Bytes of the writable layer, and of the whole root.
    pub(super) async fn sizes(&self, container: &Container) -> Result<(i64, i64)> {
        let upper = container.places.upper();
        let rw = blocking(move || Ok(bytes(&upper))).await?;
        let image = self.shared.images.find(&container.asked().image.to_string());
        let below = image.map_or(0, |image| i64::try_from(image.size).unwrap_or(i64::MAX));
        Ok((rw, rw.saturating_add(below)))
    }
}

/// Links as docker shows them: `/db:/web/alias`.
fn show_host(asked: &Asked) -> HostConfig {
    let own = &asked.name;
    let show = |link: &String| links::parse(link).map(|(name, alias)| format!("/{name}:/{own}/{alias}")).ok();
    let links = asked.host.links.as_ref().map(|links| links.iter().filter_map(show).collect());
    // What docker says where nothing is said: as much of the swap as of the memory.
    let swap = asked.host.memory_swap.filter(|swap| *swap != 0);
    let memory_swap = swap.or_else(|| asked.host.memory.filter(|memory| *memory > 0)?.checked_mul(2));
    HostConfig { links, memory_swap: memory_swap.or(asked.host.memory_swap), ..asked.host.clone() }
}

fn show_state(state: &State) -> ContainerState {
    // Go's zero of time, which clients compare with.
    let moment = |moment: Option<Timestamp>| {
        Some(moment.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |moment| moment.to_string()))
    };
    ContainerState {
        status: Some(state.status.into()),
        running: Some(state.status.is_going()),
        paused: Some(state.status == Status::Paused),
        restarting: Some(state.status == Status::Restarting),
        oom_killed: Some(state.oom_killed),
        dead: Some(state.status == Status::Dead),
        pid: Some(state.pid.unwrap_or(0).into()),
        exit_code: Some(state.exit_code.into()),
        error: Some(state.error.clone()),
        started_at: moment(state.started_at),
        finished_at: moment(state.finished_at),
        health: state.health.clone(),
    }
}

/// The mounts as `inspect` and the list show them. Those of `--tmpfs` are in the host's part of the request only, as docker
/// has it; those of `--mount type=tmpfs` are here.
pub(super) fn show_mounts(asked: &Asked) -> Vec<MountPoint> {
    let elsewhere = |mounted: &&Mounted| {
        let target = mounted.attachment.mount.target.display().to_string();
        !asked.host.tmpfs.as_ref().is_some_and(|tmpfs| tmpfs.contains_key(&target))
    };
    asked.mounts.iter().filter(elsewhere).map(show_mount).collect()
}

fn show_mount(mounted: &Mounted) -> MountPoint {
    let mount = &mounted.attachment.mount;
    let source = match &mount.source {
        Source::Bind { path, .. } | Source::MappedBind { path, .. } => path.display().to_string(),
        Source::New { .. } | Source::Cgroup => String::new(),
    };
    // Docker names a driver only for volumes.
    let driver = mounted.volume().is_some().then(|| "local".to_owned());
    let (typ, name) = match &mounted.attachment.origin {
        Origin::Host { .. } => (MountPointTypeEnum::BIND, None),
        Origin::Volume { name, .. } => (MountPointTypeEnum::VOLUME, Some(name.clone())),
        Origin::Memory { .. } => (MountPointTypeEnum::TMPFS, None),
        Origin::Image { name, .. } => (MountPointTypeEnum::IMAGE, Some(name.clone())),
    };
    let recursive = if mount.attributes.recursive_propagation { "r" } else { "" };
    let travel = match mount.attributes.propagation {
        Some(Propagation::Shared) => "shared",
        Some(Propagation::Slave) => "slave",
        _ => "private",
    };
    let propagation = if typ == MountPointTypeEnum::BIND { format!("{recursive}{travel}") } else { String::new() };
    MountPoint {
        typ: Some(typ),
        driver,
        name,
        source: Some(source),
        destination: Some(mount.target.display().to_string()),
        mode: Some(mounted.mode.clone()),
        rw: Some(!mount.attributes.readonly),
        propagation: Some(propagation),
    }
}

/// Bytes of the files below a directory, as docker counts them: a file with several names once.
fn bytes(directory: &Path) -> i64 {
    fn walk(directory: &Path, seen: &mut HashSet<(u64, u64)>) -> u64 {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let sizes = entries.filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            if metadata.is_dir() {
                return Some(walk(&entry.path(), seen));
            }
            let new = seen.insert((metadata.dev(), metadata.ino()));
            (new && metadata.is_file()).then_some(metadata.len())
        });
        sizes.sum()
    }
    i64::try_from(walk(directory, &mut HashSet::new())).unwrap_or(i64::MAX)
}
