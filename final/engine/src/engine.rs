//! The engine: its parts, opened in the order in which they need each other.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, RwLock};

use namespaces::Context;

use crate::config::Config;
use crate::containers::Containers;
use crate::error::Result;
use crate::events::Events;
use crate::images::Images;
use crate::networks::Networks;
use crate::reload::Live;
use crate::volumes::Volumes;

/// The whole engine. Cheap to clone: each part is shared.
#[derive(Debug, Clone)]
pub struct Engine {
    /// What it was told.
    pub config: Arc<Config>,
    /// What of it may change.
    pub(crate) live: Arc<RwLock<Arc<Live>>>,
    /// What happened.
    pub events: Arc<Events>,
    /// Images and layers.
    pub images: Arc<Images>,
    /// Networks, addresses, ports.
    pub networks: Arc<Networks>,
    /// Named volumes.
    pub volumes: Arc<Volumes>,
    /// Containers and execs.
    pub containers: Containers,
}

impl Engine {
    /// Opens the state below the configured roots, makes what is missing, and puts right what changed while no engine
    /// looked: containers that ended, claims of the dead. Must run inside a tokio runtime.
    pub async fn open(config: Config) -> Result<Self> {
        let config = Arc::new(config);
        // The data of containers must not be reachable by other users (CVE-2021-41091); sockets neither (CVE-2020-15257).
        directory(&config.data_root, 0o711)?;
        directory(&config.exec_root, 0o711)?;
        let events = Arc::new(Events::default());
        let images = Arc::new(Images::open(&config, &events)?);
        let networks = Arc::new(Networks::open(&config, &events)?);
        let volumes = Arc::new(Volumes::open(&config, &events)?);
        networks.guard_rules()?;
        let containers = Containers::open(&config, &events, &images, &networks, &volumes).await?;
        let live = Live {
            labels: config.defaults.labels.clone(),
            registry_mirrors: config.registry_mirrors.clone(),
            insecure_registries: config.insecure_registries.clone(),
        };
        let live = Arc::new(RwLock::new(Arc::new(live)));
        let engine = Self { config, live, events, images, networks, volumes, containers };
        // Removing takes its time, and nobody has to wait for it.
        let tidy = engine.clone();
        tokio::spawn(async move {
            if let Err(error) = tidy.blocking(|engine| engine.images.tidy(&engine.images_in_use())).await {
                tracing::warn!("{error}");
            }
        });
        Ok(engine)
    }

    /// Gives back what nobody needs when the engine ends: bridges and rules, unless containers run on.
    pub async fn close(&self) {
        if let Err(error) = self.blocking(|engine| engine.networks.close()).await {
            tracing::warn!("{error}");
        }
    }

    /// Runs `work` on a thread that may wait for the disk or the kernel.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let engine = self.clone();
        tokio::task::spawn_blocking(move || work(&engine)).await?
    }
}

/// Makes a directory with a mode that the umask does not change.
pub(crate) fn directory(path: &Path, mode: u32) -> Result<()> {
    fs::create_dir_all(path).during("make the directory", path.display())?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).during("set the mode of", path.display())?;
    Ok(())
}
