//! Named volumes (chapter 5), behind docker's nouns.
//!
//! The chapter's store knows the directories; who uses them is in the containers' records.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use ::volumes::{NewVolume, Store};
use bollard_stubs::models::{
    EventMessageTypeEnum, Volume, VolumeCreateOptions, VolumeListResponse, VolumePruneResponse, VolumeScopeEnum,
    VolumeUsageData,
};
use namespaces::Failure;
use regex_lite::Regex;
use rustix::io::Errno;

use crate::config::Config;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::events::{Attributes, Events};
use crate::filters::Filters;

/// All named volumes.
#[derive(Debug)]
pub struct Volumes {
    store: Store,
    events: Arc<Events>,
}

impl Volumes {
    /// Opens the store below the data root.
    pub fn open(config: &Config, events: &Arc<Events>) -> Result<Self> {
        Ok(Self { store: Store::open(config.data_root.join("volumes"))?, events: Arc::clone(events) })
    }

    /// The chapter's store: what a container's mounts are attached from.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// An event of a volume.
    pub fn tell(&self, action: &str, name: &str) {
        self.tell_with(action, name, HashMap::new());
    }

    /// The same with more attributes: those of the container that takes it or gives it back.
    pub(crate) fn tell_with(&self, action: &str, name: &str, mut attributes: Attributes) {
        attributes.insert("driver".to_owned(), "local".to_owned());
        self.events.emit(EventMessageTypeEnum::VOLUME, action, name, attributes);
    }

    /// Removes a volume that is known to be unused. One that is gone already is no error: `rm -v` and `--rm` come this way.
    pub fn discard(&self, name: &str) -> Result<()> {
        match self.store.remove(name) {
            Ok(()) => self.tell("destroy", name),
            Err(failure) if failure.is(Errno::NOENT) => {}
            Err(failure) => return Err(failure.into()),
        }
        Ok(())
    }
}

impl Engine {
    /// All volumes that pass `filters`: `dangling`, `driver`, `label`, `name`. By name.
    pub async fn list_volumes(&self, filters: Filters) -> Result<VolumeListResponse> {
        filters.only(&["dangling", "driver", "label", "label!", "name"])?;
        let dangling = filters.flag("dangling")?;
        let used = self.volumes_in_use();
        let volumes = self.blocking(|engine| Ok(engine.volumes.store.list()?)).await?;
        let passes = |volume: &::volumes::Volume| {
            let unused = !used.iter().any(|(name, _)| *name == volume.name);
            filters.any("driver", |driver| driver == volume.driver)
                && filters
                    .any("name", |pattern| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&volume.name)))
                && filters.labels(&labels(volume))
                && dangling.is_none_or(|wanted| wanted == unused)
        };
        let shown = volumes.into_iter().filter(passes).map(show).collect();
        Ok(VolumeListResponse { volumes: Some(shown), warnings: Some(Vec::new()) })
    }

    /// Makes a volume, or returns the one that has the name.
    pub async fn create_volume(&self, options: VolumeCreateOptions) -> Result<Volume> {
        if options.cluster_volume_spec.is_some() {
            return Err(Error::unsupported("a volume of a swarm is not supported: Skiff has no swarm"));
        }
        let map = |map: Option<HashMap<_, _>>| map.unwrap_or_default().into_iter().collect();
        let wanted = NewVolume {
            name: options.name.filter(|name| !name.is_empty()),
            driver: options.driver.unwrap_or_default(),
            labels: map(options.labels),
            options: map(options.driver_opts),
        };
        if !matches!(wanted.driver.as_str(), "" | "local") {
            return Err(no_such_driver(&wanted));
        }
        self.blocking(move |engine| {
            let new = wanted.name.as_deref().is_none_or(|name| !matches!(engine.volumes.store.get(name), Ok(Some(_))));
            let volume = engine.volumes.store.create(&wanted).map_err(|failure| refusal(&wanted, failure))?;
            if new {
                engine.volumes.tell("create", &volume.name);
            }
            Ok(show(volume))
        })
        .await
    }

    /// One volume.
    pub async fn inspect_volume(&self, name: String) -> Result<Volume> {
        self.blocking(move |engine| engine.find_volume(&name).map(show)).await
    }

    /// Removes a volume that no container uses. With `force` one that is gone already is no error.
    ///
    /// # Errors
    /// 404, or 409 when a container uses it, in docker's words.
    pub async fn remove_volume(&self, name: String, force: bool) -> Result<()> {
        let used = self.volumes_in_use();
        self.blocking(move |engine| {
            match engine.find_volume(&name) {
                Err(error) if force && error.kind == Kind::NotFound => return Ok(()),
                found => found?,
            };
            let users: Vec<_> = used.iter().filter(|(volume, _)| *volume == name).map(|(_, id)| id.as_str()).collect();
            if !users.is_empty() {
                let users = users.join(", ");
                return Err(Error::conflict(format!("remove {name}: volume is in use - [{users}]"))
                    .hint("Remove these containers first."));
            }
            engine.volumes.discard(&name)
        })
        .await
    }

    /// Removes the volumes that no container uses: those whose name was made up, or all with the filter `all` or
    /// when the client is from before version 1.42 and expects it. Filters: `all`, `label`.
    pub async fn prune_volumes(&self, filters: Filters, before_1_42: bool) -> Result<VolumePruneResponse> {
        filters.only(&["all", "label", "label!"])?;
        let all = before_1_42 || filters.flag("all")? == Some(true);
        let used = self.volumes_in_use();
        self.blocking(move |engine| {
            let (mut names, mut space) = (Vec::new(), 0);
            for volume in engine.volumes.store.list()? {
                let unused = !used.iter().any(|(name, _)| *name == volume.name);
                if unused && (all || volume.anonymous) && filters.labels(&labels(&volume)) {
                    space += bytes(&volume.data);
                    engine.volumes.discard(&volume.name)?;
                    names.push(volume.name);
                }
            }
            let attributes = HashMap::from([("reclaimed".to_owned(), space.to_string())]);
            engine.volumes.events.emit(EventMessageTypeEnum::VOLUME, "prune", "", attributes);
            Ok(VolumePruneResponse { volumes_deleted: Some(names), space_reclaimed: Some(space) })
        })
        .await
    }

    /// Volumes with their size and the number of their users, for `system df`. Reads every directory: this takes time.
    pub(crate) async fn volumes_usage(&self) -> Result<Vec<Volume>> {
        let used = self.volumes_in_use();
        self.blocking(move |engine| {
            let measured = engine.volumes.store.list()?.into_iter().map(|volume| {
                let users = used.iter().filter(|(name, _)| *name == volume.name).count();
                let usage =
                    VolumeUsageData { size: bytes(&volume.data), ref_count: i64::try_from(users).unwrap_or(-1) };
                Volume { usage_data: Some(usage), ..show(volume) }
            });
            Ok(measured.collect())
        })
        .await
    }

    fn find_volume(&self, name: &str) -> Result<::volumes::Volume> {
        let none = || Error::not_found(format!("get {name}: no such volume"));
        if ::volumes::validate_name(name).is_err() {
            return Err(none());
        }
        self.volumes.store.get(name)?.ok_or_else(none)
    }
}

/// Docker's words, which clients compare, for a driver that would be a plugin.
fn no_such_driver(wanted: &NewVolume) -> Error {
    let (volume, name) = (wanted.name.as_deref().unwrap_or_default(), &wanted.driver);
    Error::not_found(format!("create {volume}: error looking up volume plugin {name}: plugin \"{name}\" not found"))
        .hint("The one driver here is local: Docker's plugins are not supported.")
}

/// A name or option that cannot be is the client's error; a volume with other options is in the way.
fn refusal(wanted: &NewVolume, failure: Failure) -> Error {
    match failure.errno {
        None => {
            let (volume, cause) = (wanted.name.as_deref().unwrap_or_default(), failure.cause.unwrap_or_default());
            Error { hint: failure.hint, ..Error::invalid(format!("create {volume}: {cause}")) }
        }
        Some(_) if failure.is(Errno::EXIST) => Error { kind: Kind::Conflict, ..failure.into() },
        Some(_) => failure.into(),
    }
}

/// Docker's mark of a volume whose name was made up. It is shown as a label, and can be filtered by.
const ANONYMOUS: &str = "com.docker.volume.anonymous";

fn labels(volume: &::volumes::Volume) -> HashMap<String, String> {
    let mark = volume.anonymous.then(|| (ANONYMOUS.to_owned(), String::new()));
    volume.labels.clone().into_iter().chain(mark).collect()
}

fn show(volume: ::volumes::Volume) -> Volume {
    Volume {
        labels: labels(&volume),
        name: volume.name,
        driver: volume.driver,
        mountpoint: volume.data.display().to_string(),
        created_at: Some(volume.created_at.to_string()),
        scope: Some(VolumeScopeEnum::LOCAL),
        options: volume.options.into_iter().collect(),
        ..Volume::default()
    }
}

/// Bytes on disk below `directory`, as du(1) counts them. What cannot be read counts nothing.
fn bytes(directory: &Path) -> i64 {
    let used = unionfs::usage(directory).map_or(0, |usage| usage.disk);
    i64::try_from(used).unwrap_or(i64::MAX)
}
