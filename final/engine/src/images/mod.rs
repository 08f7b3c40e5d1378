//! Images and layers (chapter 6), behind docker's nouns.
//!
//! Read the files in this order:
//!
//! 1. `mod.rs`: [`Images`], the store opened, and what the containers ask of it.
//! 2. `view.rs`: list, inspect, history: images as the API shows them; `platforms.rs`: for which machines they are.
//! 3. `transfer.rs`: load, import, save: images coming and going, told as a stream of [`Progress`].
//! 4. `login.rs`: who we are to a registry; `registry.rs`: pull, push, and what a registry says of a name.
//! 5. `names.rs`: tag, remove, prune; `check.rs`: whether everything is what its name says.
//!
//! The chapter's calls block, and some of them for minutes, so each one that does more than look into memory runs on a
//! thread of its own.

mod check;
mod login;
mod names;
mod platforms;
mod registry;
mod transfer;
mod view;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ::images::{Digest, Image, RegistryOptions, Store, User};
use bollard_stubs::models::EventMessageTypeEnum;

pub use self::check::Check;
pub use self::login::Login;
pub use self::transfer::{Archive, Detail, ErrorDetail, Import, Progress, Telling};
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::events::Events;
use crate::reload::Live;

/// How long what an interrupted pull has left is kept for the next one.
const DAY: Duration = Duration::from_hours(24);

/// All images.
#[derive(Debug)]
pub struct Images {
    store: Arc<Store>,
    registries: RwLock<Arc<RegistryOptions>>,
    events: Arc<Events>,
}

impl Images {
    /// Opens the store below the data root and sees to it that `hello:latest` is there.
    pub fn open(config: &Config, events: &Arc<Events>) -> Result<Self> {
        let store = Store::open(&config.data_root)?;
        crate::hello::ensure(&store)?;
        let registries = RegistryOptions {
            mirrors: config.registry_mirrors.clone(),
            insecure: config.insecure_registries.clone(),
            certificates: config.registry_certificates.clone(),
            explain: None,
        };
        let registries = RwLock::new(Arc::new(registries));
        Ok(Self { store: Arc::new(store), registries, events: Arc::clone(events) })
    }

    /// How registries are spoken to now.
    fn registries(&self) -> Arc<RegistryOptions> {
        Arc::clone(&self.registries.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which mirrors are asked, and which registries without encryption, from now on.
    pub(crate) fn talk_to(&self, live: &Live) {
        let mut options = RegistryOptions::clone(&self.registries());
        (options.mirrors, options.insecure) = (live.registry_mirrors.clone(), live.insecure_registries.clone());
        *self.registries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
    }

    /// The image that `name` means: a reference (`busybox`, `busybox:1.36`), an id, or the beginning of an id. Looks into
    /// memory only.
    ///
    /// # Errors
    /// 404 `No such image: NAME`, in docker's words, on which clients pull.
    pub fn find(&self, name: &str) -> Result<Image> {
        Ok(self.store.resolve(name)?)
    }

    /// The id of the image that `name` means.
    pub(crate) fn id_of(&self, name: &str) -> Option<Digest> {
        self.store.id_of(name).ok()
    }

    /// The chapter's store: where `commit` puts what it makes.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The image's layers as directories, the top one first, as an overlay wants them.
    pub fn lowers(&self, image: &Image) -> Vec<PathBuf> {
        self.store.lowers(image)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.store.list().len()
    }

    /// Bytes of all layers, each counted once however many images have it.
    pub(crate) fn layers_size(&self) -> Result<i64> {
        let bytes = self.store.layers().list()?.iter().map(|layer| layer.size).sum::<u64>();
        Ok(i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    /// Bytes of each image, by its id, that are in layers which another image has as well.
    pub(crate) fn shared_sizes(&self) -> HashMap<String, i64> {
        let images = self.store.list();
        let mut users: HashMap<Digest, usize> = HashMap::new();
        for layer in images.iter().flat_map(|image| &image.layers) {
            *users.entry(*layer).or_default() += 1;
        }
        let bytes = |layer: &Digest| self.store.layers().get(layer).map_or(0, |layer| layer.size);
        let shared = |image: &Image| {
            let common = image.layers.iter().filter(|layer| users.get(layer).is_some_and(|users| *users > 1));
            view::size(common.map(bytes).sum())
        };
        images.iter().map(|image| (image.id.to_string(), shared(image))).collect()
    }

    /// Puts right what a crash has left: images that were removed while a container used them go when `used` no longer names
    /// them, and blobs and layers of pulls that never came to their end go after a day, in which the same pull would have
    /// found them again.
    pub(crate) fn tidy(&self, used: &[User]) -> Result<()> {
        self.store.collect(used)?;
        self.store.sweep(DAY)?;
        Ok(())
    }

    /// To be called when a container has been removed: the layers of an image that was only kept for it go now.
    /// `used` is asked only when there is one, since it looks at all containers.
    pub(crate) fn collect(&self, used: impl FnOnce() -> Vec<User>) -> Result<()> {
        if !self.store.keeps_hidden() {
            return Ok(());
        }
        Ok(self.store.collect(&used())?)
    }

    /// An event of an image: `name` is what it was called, `id` what it is.
    fn tell(&self, action: &str, id: &str, name: &str) {
        let attributes = HashMap::from([("name".to_owned(), name.to_owned())]);
        self.events.emit(EventMessageTypeEnum::IMAGE, action, id, attributes);
    }
}

/// The chapter's kinds as HTTP statuses, as docker answers them: a registry that refuses is a 404, because it does not tell
/// whether the image exists; one that does not answer is our own 500.
impl From<::images::Error> for Error {
    fn from(error: ::images::Error) -> Self {
        use ::images::Kind as Of;
        let kind = match error.kind() {
            Of::NotFound | Of::Denied => Kind::NotFound,
            Of::Invalid => Kind::Invalid,
            Of::Conflict => Kind::Conflict,
            Of::NoSpace | Of::Unavailable | Of::System => Kind::Internal,
        };
        Self { kind, message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}
