//! From a request to a record. Nothing of the container exists yet but that.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use bollard_stubs::models::{ContainerConfig, ContainerCreateBody, ContainerCreateResponse, HostConfig};
use images::Image;
use jiff::Timestamp;
use namespaces::Context;

use super::container::{ASKED, Container};
use super::record::{Asked, Mounted, State};
use super::request::mounts::{self, Sources};
use super::request::{check, conflicts, defaults, merge};
use super::{Containers, blocking, names};
use crate::error::{Error, Kind, Result};
use crate::networks::Wishes;
use crate::record::{self, Durability};

impl Containers {
    /// Makes a container from `body`. `name` is made up when it is missing; `platform` (`linux/amd64`) must be the image's
    /// when it is given.
    ///
    /// # Errors
    /// 404 `No such image: NAME`, on which clients pull; 409 for a name that is taken; 400 for what cannot be.
    pub async fn create(
        &self,
        name: Option<&str>,
        platform: Option<&str>,
        body: ContainerCreateBody,
    ) -> Result<ContainerCreateResponse> {
        let image_name = body.image.clone().filter(|name| !name.is_empty()).ok_or_else(|| no_image(&body))?;
        let image = self.shared.images.find(&image_name)?;
        if let Some(wanted) = platform.filter(|platform| !platform.is_empty()) {
            image.platform().check(&image_name, &wanted.parse()?)?;
        }
        image.check_runnable()?;
        let id = names::new_id()?;
        let (mut asked, warnings) = self.complete(&id, &image, body)?;
        asked.name = self.index().reserve(name, &id)?;
        let (this, reserved) = (self.clone(), asked.name.clone());
        let made = blocking(move || this.make_record(asked)).await;
        match made {
            Ok(container) => {
                self.index().insert(Arc::clone(&container));
                self.tell(&container, "create", &[]);
                make_ahead(&container);
                Ok(ContainerCreateResponse { id, warnings })
            }
            Err(error) => {
                self.index().release(&reserved);
                Err(error)
            }
        }
    }

    /// What was asked, but for its name and its mounts; and warnings.
    fn complete(&self, id: &str, image: &Image, mut body: ContainerCreateBody) -> Result<(Asked, Vec<String>)> {
        let mut host = body.host_config.take().unwrap_or_default();
        let networks = body.networking_config.take().and_then(|config| config.endpoints_config).unwrap_or_default();
        conflicts::check(&body, &host)?;
        let mut config = merge::with_image(merge::config_of(body), &image.config)?;
        defaults::fill_host(&mut host, &self.shared.config.defaults);
        let mut warnings = check::check(&config, &host)?;
        defaults::fill_hostname(&mut config, &host, id);
        // Whether there are such networks is looked at when the container starts, as docker does: they may come until then.
        let mut networks = with_mode(networks, &host);
        warnings.extend(move_address(&mut config, &host, &mut networks)?);
        let asked = Asked {
            id: id.to_owned(),
            name: String::new(),
            created: Timestamp::now(),
            image: image.id,
            config,
            host,
            networks,
            mounts: Vec::new(),
        };
        Ok((asked, warnings))
    }

    /// Makes the volumes, the directory and the record. On failure nothing is left.
    fn make_record(&self, mut asked: Asked) -> Result<Arc<Container>> {
        let store = self.shared.volumes.store();
        self.check_links(&asked)?;
        let others = self.volumes_from(&asked.host)?;
        let wanted = mounts::wanted(&asked.config, &asked.host, &others)?;
        let image = |name: &str| {
            let images = &self.shared.images;
            // A client that is told 404 pulls the container's own image, which is here.
            let found = images.find(name).map_err(|error| Error { kind: Kind::Invalid, ..error })?;
            Ok((found.id, images.lowers(&found)))
        };
        let missing = mounts::missing(&wanted, store);
        asked.mounts = mounts::resolve(wanted, &others, &Sources { volumes: store, image: &image })?;
        let made: Vec<String> = missing.into_iter().chain(mounts::made_up(&asked.mounts, &others)).collect();
        let container = Container::new(&self.shared.config, asked, State::default());
        let written = write(&container);
        if written.is_err() {
            mounts::forget(&container.asked().mounts, &others, store);
            let _ = fs::remove_dir_all(&container.places.record);
        }
        written?;
        for name in made {
            self.shared.volumes.tell("create", &name);
        }
        Ok(Arc::new(container))
    }

    /// The mounts of the containers in `VolumesFrom`, `NAME[:ro|rw]`.
    fn volumes_from(&self, host: &HostConfig) -> Result<Vec<Mounted>> {
        let mut mounts = Vec::new();
        for text in host.volumes_from.iter().flatten() {
            if text.is_empty() {
                return Err(Error::invalid("volumes-from specification cannot be an empty string"));
            }
            let (name, mode) = text.split_once(':').unwrap_or((text, "rw"));
            if mode.split(',').any(|word| !matches!(word, "ro" | "rw" | "z" | "Z")) {
                return Err(Error::invalid(format!("invalid mode: {mode}")).hint("Give ro or rw after the colon."));
            }
            let other = self.find(name).map_err(|error| Error { kind: Kind::Invalid, ..error })?.asked();
            // Memory cannot be shared: each container has its own, if it asks for it.
            let shared = other.mounts.iter().filter(|mounted| !mounted.is_memory());
            for mut mounted in shared.cloned() {
                mounted.attachment.mount.attributes.readonly |= mode.split(',').any(|word| word == "ro");
                mounts.push(Mounted { mode: String::new(), ..mounted });
            }
        }
        Ok(mounts)
    }
}

/// Why a request that names no image cannot be: docker tells three cases apart.
fn no_image(body: &ContainerCreateBody) -> Error {
    let is_empty = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
    let hosts = ContainerCreateBody {
        host_config: body.host_config.clone(),
        networking_config: body.networking_config.clone(),
        ..ContainerCreateBody::default()
    };
    let words = if *body == hosts {
        "config cannot be empty in order to create a container"
    } else if is_empty(&body.cmd) && is_empty(&body.entrypoint) {
        "no command specified"
    } else {
        "no image is given"
    };
    Error::invalid(words).hint("Say which image to run.")
}

/// The wishes with the network of `NetworkMode` among them, so that the record names every network of the container.
fn with_mode(mut networks: Wishes, host: &HostConfig) -> Wishes {
    let mode = host.network_mode.clone().unwrap_or_default();
    if let Some(wish) = networks.remove("default") {
        networks.entry("bridge".to_owned()).or_insert(wish);
    }
    if !mode.starts_with("container:") {
        networks.entry(mode).or_default();
    }
    networks
}

/// The MAC address that clients from before 1.44 give for the whole container is that of its first network.
fn move_address(config: &mut ContainerConfig, host: &HostConfig, networks: &mut Wishes) -> Result<Option<String>> {
    let Some(address) = config.mac_address.clone().filter(|address| !address.is_empty()) else { return Ok(None) };
    let mode = host.network_mode.as_deref().unwrap_or_default();
    let Some(wish) = networks.get_mut(mode).filter(|_| !matches!(mode, "host" | "none")) else {
        return Err(Error::invalid(format!("conflicting options: mac-address and the network mode ({mode})")));
    };
    let given = wish.mac_address.get_or_insert_with(|| address.clone());
    if *given != address {
        return Err(Error::invalid(
            "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left out",
        ));
    }
    Ok(Some("The container-wide MacAddress is deprecated: it belongs to a network in NetworkingConfig.".to_owned()))
}

fn write(container: &Container) -> Result<()> {
    let directory = &container.places.record;
    DirBuilder::new().mode(0o711).create(directory).during("make the directory", directory.display())?;
    let asked = container.asked();
    // A container that is removed at its end is nothing to come back to after a power failure.
    let durability = if asked.auto_remove() { Durability::Crash } else { Durability::Power };
    Ok(record::write(&directory.join(ASKED), &*asked, durability)?)
}

/// Makes the directories of the root file system while the client reads the answer and asks for the start: on a busy disk
/// they are a good part of it. They may be there already, or the container may be gone: either is fine.
fn make_ahead(container: &Container) {
    let directories = container.places.of_root();
    tokio::task::spawn_blocking(move || {
        for directory in directories {
            let _ = fs::create_dir(directory);
        }
    });
}
