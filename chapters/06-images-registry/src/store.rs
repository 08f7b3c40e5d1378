//! The store of images: an OCI image layout on disk, and what is known of it in memory.
//!
//! ```text
//! DATA_ROOT/
//!   images/               an OCI image layout (image-layout.md): skopeo and others can read it as it stands
//!     oci-layout          also the lock: one process at a time
//!     index.json          which images, under which names
//!     blobs/sha256/HEX    manifests, configurations, layers as they came
//!     unfinished/         blobs being written
//!   layers/HEX/diff       the same layers unpacked, by chain id (chapter 3)
//! ```
//!
//! Whatever is interrupted, the layout is consistent: blobs and layers get their names first, and the index, which
//! alone makes an image of them, is replaced last and in one rename. What nobody refers to is removed by
//! [`Store::sweep`].
//!
//! Reading is from memory: what `docker run` needs of an image takes a microsecond and no file. Every change is made on
//! a copy, written, and only then shown to others; when writing fails, nothing has changed.
//!
//! ```no_run
//! use images::{Reference, Store};
//! let store = Store::open(std::path::Path::new("/var/lib/skiff"))?;
//! let image = store.resolve("busybox")?;
//! store.tag(&image.id, &"mine:v1".parse::<Reference>()?)?;
//! println!("{} runs {:?} on {:?}", image.id.short(), image.config.config.cmd, store.lowers(&image));
//! # Ok::<(), images::Error>(())
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use namespaces::{Context, Failure};
use unionfs::{Digest, Layers, chain_ids};

use crate::blobs::Blobs;
use crate::config::ImageConfig;
use crate::error::{Error, Kind, Result};
use crate::image::Image;
use crate::index::{self, Entry};
use crate::manifest::{CONFIG_LIMIT, Descriptor, Document, MANIFEST_LIMIT, Manifest};
use crate::reference::Reference;
use crate::unpack::unpack;

/// The images of one data directory. Shared by threads; every method takes `&self`.
#[derive(Debug)]
pub struct Store {
    /// `DATA_ROOT/images`
    layout: PathBuf,
    /// `DATA_ROOT/layers`
    pub(crate) layers: Layers,
    pub(crate) blobs: Blobs,
    /// All images, hidden ones too. Many read it, few change it.
    known: RwLock<Vec<Known>>,
    problems: Vec<Failure>,
    /// Open for as long as the store is: closing it gives the lock back.
    _lock: File,
}

/// An image with its documents parsed.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// See [`Image::id`].
    pub(crate) id: Digest,
    /// The configuration.
    pub(crate) config: ImageConfig,
    /// Chain ids, lowest first.
    pub(crate) layers: Vec<Digest>,
    /// See [`Image::size`].
    pub(crate) size: u64,
    /// Which blobs it has.
    pub(crate) manifest: Manifest,
    /// Its line in the list: manifest and names.
    pub(crate) entry: Entry,
}

impl Known {
    /// Something that is no image: nothing of it is understood or unpacked.
    fn artifact(manifest: Manifest, entry: Entry) -> Self {
        let size = manifest.blobs().map(|blob| blob.size).sum();
        let (id, config) = (entry.manifest.digest, ImageConfig::default());
        Self { id, config, layers: Vec::new(), size, manifest, entry }
    }

    /// What others see of it.
    pub(crate) fn image(&self) -> Image {
        let (repo_tags, repo_digests) = self.entry.names.iter().cloned().partition(|name| name.digest().is_none());
        Image {
            id: self.id,
            config: self.config.clone(),
            manifest: self.entry.manifest.clone(),
            artifact: self.manifest.artifact().map(str::to_owned),
            layers: self.layers.clone(),
            size: self.size,
            content: self.entry.manifest.size + self.manifest.blobs().map(|blob| blob.size).sum::<u64>(),
            created: self.config.created.clone().unwrap_or_default(),
            repo_tags,
            repo_digests,
        }
    }

    /// Every blob and layer that it needs.
    pub(crate) fn reach(&self) -> impl Iterator<Item = Digest> {
        let blobs = self.manifest.blobs().map(|blob| blob.digest);
        [self.entry.manifest.digest].into_iter().chain(blobs).chain(self.layers.iter().copied())
    }
}

impl Store {
    /// Opens `DATA_ROOT/images` and `DATA_ROOT/layers`, and makes them if they are missing. Fails with
    /// [`Kind::Conflict`] when another process has them open.
    pub fn open(data_root: &Path) -> Result<Self> {
        let layout = data_root.join("images");
        let lock = index::lock(&layout)?;
        let blobs = Blobs::open(&layout)?;
        let layers = Layers::open(&data_root.join("layers"))?;
        let entries = index::read(&layout)?;
        let mut store = Self { layout, layers, blobs, known: RwLock::default(), problems: Vec::new(), _lock: lock };
        let mut known = Vec::new();
        for entry in entries {
            let digest = entry.manifest.digest;
            match store.know(entry) {
                Ok(image) => known.push(image),
                // One damaged image must not keep all others from being used.
                Err(error) => store.problems.push(Failure::new("use the image with the manifest", error).on(digest)),
            }
        }
        store.known = RwLock::new(known);
        Ok(store)
    }

    /// The images that could not be used when the store was opened, each with its reason.
    pub fn problems(&self) -> &[Failure] {
        &self.problems
    }

    /// The unpacked layers.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The blobs.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The image's layers as directories, top one first: [`unionfs::Overlay::lowers`].
    pub fn lowers(&self, image: &Image) -> Vec<PathBuf> {
        image.layers.iter().rev().map(|layer| self.layers.diff(layer)).collect()
    }

    /// The layers of the image `name` as they came: paths of archives that are usually compressed, lowest first.
    pub fn layer_blobs(&self, name: &str) -> Result<Vec<String>> {
        let known = find(&self.read(), name)?.clone();
        let path = |layer: &Descriptor| self.blobs.path(&layer.digest).display().to_string();
        Ok(known.manifest.layers.iter().map(path).collect())
    }

    /// Every image, newest first.
    pub fn list(&self) -> Vec<Image> {
        let mut images: Vec<_> = self.read().iter().filter(|known| !known.entry.hidden).map(Known::image).collect();
        let time = |image: &Image| image.created.parse::<jiff::Timestamp>().ok();
        images.sort_by(|a, b| time(b).cmp(&time(a)).then_with(|| a.id.cmp(&b.id)));
        images
    }

    /// The image that `name` means: a reference, an id with or without `sha256:`, or the beginning of an id.
    ///
    /// A name goes before the beginning of an id, as in docker. A name with a digest is found only if the image came
    /// from that repository: the same content under another name is not what was asked for.
    pub fn resolve(&self, name: &str) -> Result<Image> {
        let known = self.read();
        Ok(find(&known, name)?.image())
    }

    /// Which image `name` means, as for [`Store::resolve`], without what is known of it: for those who ask of many names.
    pub fn id_of(&self, name: &str) -> Result<Digest> {
        Ok(find(&self.read(), name)?.id)
    }

    /// The image with this id, also one that was removed while a container of it lives on.
    pub fn get(&self, id: &Digest) -> Result<Image> {
        let known = self.read();
        known.iter().find(|known| known.id == *id).map(Known::image).ok_or_else(|| no_such_image(&id.to_string()))
    }

    /// Gives the image `id` the name `name` (`latest` without a tag), taking it from another image that has it.
    /// A name belongs to one image at a time, like a branch of git to one commit. An image that has lost its last name
    /// this way stays, as docker's `<none>`.
    pub fn tag(&self, id: &Digest, name: &Reference) -> Result<()> {
        let name = name.clone().or_latest();
        if name.digest().is_some() {
            let words = format!("refusing to create a tag with a digest reference: {}", name.familiar());
            return Err(Error::worded(Kind::Invalid, words));
        }
        self.change(|known| {
            if !known.iter().any(|known| known.id == *id && !known.entry.hidden) {
                return Err(no_such_image(&id.to_string()));
            }
            give(known, id, &name);
            Ok(())
        })
    }

    /// Makes an image of a manifest whose blobs and layers are all here; gives it these names.
    ///
    /// An image that is known already keeps its manifest and gets the names.
    pub(crate) fn add(&self, manifest: &Descriptor, names: &[Reference]) -> Result<Image> {
        let manifest = Descriptor { platform: None, annotations: BTreeMap::new(), ..manifest.clone() };
        let new = self.know(Entry { manifest, names: BTreeSet::new(), hidden: false })?;
        self.change(|known| {
            let id = new.id;
            match known.iter_mut().find(|known| known.id == id) {
                Some(there) => there.entry.hidden = false,
                None => known.push(new),
            }
            for name in names {
                give(known, &id, &name.clone().or_latest());
            }
            known.iter().find(|known| known.id == id).map(Known::image).ok_or_else(|| no_such_image(&id.to_string()))
        })
    }

    /// The manifest of the image `id`, when it is here.
    pub(crate) fn known_as(&self, id: &Digest) -> Option<Descriptor> {
        let known = self.read();
        known.iter().find(|known| known.id == *id).map(|known| known.entry.manifest.clone())
    }

    /// The images that have this blob, hidden ones too.
    pub(crate) fn with_blob(&self, blob: &Digest) -> Vec<Known> {
        let has = |known: &&Known| known.manifest.blobs().any(|each| each.digest == *blob);
        self.read().iter().filter(has).cloned().collect()
    }

    /// The image with its documents.
    pub(crate) fn known(&self, id: &Digest) -> Result<Known> {
        let known = self.read();
        known.iter().find(|known| known.id == *id).cloned().ok_or_else(|| no_such_image(&id.to_string()))
    }

    /// Changes what is known, on disk first and then in memory.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Vec<Known>) -> Result<T>) -> Result<T> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = known.clone();
        let answer = change(&mut next)?;
        let entries: Vec<_> = next.iter().map(|known| known.entry.clone()).collect();
        index::write(&self.layout, &entries)?;
        *known = next;
        Ok(answer)
    }

    /// What is known now. A thread that panicked while it held the lock has changed nothing: see [`Store::change`].
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Vec<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads an image's documents, and unpacks again what is missing of its layers.
    fn know(&self, entry: Entry) -> Result<Known> {
        let bytes = self.blobs.read(&entry.manifest.digest, MANIFEST_LIMIT)?;
        let Document::Manifest(manifest) = Document::read(&bytes, Some(&entry.manifest.media_type))? else {
            return Err(Error::new(Kind::Invalid, Failure::new("use the manifest", "it is an index")));
        };
        if manifest.artifact().is_some() {
            return Ok(Known::artifact(manifest, entry));
        }
        let id = manifest.config.digest;
        let config = read_config(&self.blobs.read(&id, CONFIG_LIMIT)?)?;
        let layers = chain_ids(&config.rootfs.diff_ids);
        check_layers(&manifest, &config)?;
        let mut size = 0;
        for (number, chain) in layers.iter().enumerate() {
            let layer = match self.layers.get(chain) {
                Some(layer) => layer,
                None => self.unpack_again(&layers, number, &manifest, &config)?,
            };
            size += layer.size;
        }
        Ok(Known { id, config, layers, size, manifest, entry })
    }

    /// The blob of a layer is kept beside the unpacked layer, so a layer that was lost can be made again without a
    /// registry. This is how somebody can free space by hand (`rm -r layers/HEX`) and how a damaged file system heals.
    fn unpack_again(
        &self,
        chains: &[Digest],
        number: usize,
        manifest: &Manifest,
        config: &ImageConfig,
    ) -> Result<unionfs::Layer> {
        let missing = || Error::new(Kind::Invalid, Failure::new("unpack the layer", "the image does not have so many"));
        let blob = manifest.layers.get(number).ok_or_else(missing)?;
        let diff_id = config.rootfs.diff_ids.get(number).ok_or_else(missing)?;
        let unpacked = unpack(self.blobs.open_blob(&blob.digest)?, &self.layers)?;
        unpacked.verify(diff_id)?;
        let parent = number.checked_sub(1).and_then(|below| chains.get(below)).copied();
        Ok(unpacked.directory.finish(parent, *diff_id, unpacked.stats)?)
    }
}

/// Reads an image's configuration.
/// An image for another system is refused here, because it cannot run. One for another processor is not: it may be
/// meant for an emulator (binfmt_misc), and if there is none, the kernel will say so.
pub(crate) fn read_config(bytes: &[u8]) -> Result<ImageConfig> {
    let config: Result<ImageConfig, _> = serde_json::from_slice(bytes).step("read the configuration of the image");
    let config = config.map_err(|failure| Error::new(Kind::Invalid, failure))?;
    if !config.os.is_empty() && config.os != "linux" {
        let why = format!("it is for {}", config.os);
        return Err(Error::new(Kind::Invalid, Failure::new("use the image", why)));
    }
    Ok(config)
}

/// Fails unless there is one archive for each layer.
/// The two documents are written by different hands; that they agree is for us to see.
pub(crate) fn check_layers(manifest: &Manifest, config: &ImageConfig) -> Result<()> {
    let (archives, layers) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if archives == layers {
        return Ok(());
    }
    let why = format!("it has {archives} archives for {layers} layers");
    Err(Error::new(Kind::Invalid, Failure::new("use the image", why)))
}

/// Takes `name` from whoever has it and gives it to `id`.
fn give(known: &mut [Known], id: &Digest, name: &Reference) {
    for known in known {
        if known.id == *id {
            known.entry.names.insert(name.clone());
        } else {
            known.entry.names.remove(name);
        }
    }
}

/// See [`Store::resolve`].
pub(crate) fn find<'a>(known: &'a [Known], name: &str) -> Result<&'a Known> {
    let visible = || known.iter().filter(|known| !known.entry.hidden);
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    if let Ok(id) = Digest::from_hex(hex) {
        return visible().find(|known| known.id == id).ok_or_else(|| no_such_image(name));
    }
    let is_id = hex.len() < 64 && !hex.is_empty() && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let reference = match name.parse::<Reference>() {
        Ok(reference) => Some(reference.or_latest()),
        Err(_) if is_id => None,
        Err(error) => return Err(error),
    };
    if let Some(reference) = &reference {
        // With a tag and a digest it is the digest that counts.
        let wanted = reference.digest().map_or_else(|| reference.clone(), |digest| reference.with_digest(digest));
        if let Some(known) = visible().find(|known| known.entry.names.contains(&wanted)) {
            return Ok(known);
        }
    }
    let mut matching = visible().filter(|known| is_id && known.id.hex().starts_with(hex));
    match (matching.next(), matching.next()) {
        (Some(known), None) => Ok(known),
        (Some(_), Some(_)) => {
            let words = format!("multiple images have an id that begins with {hex}: give more of it");
            Err(Error::worded(Kind::Conflict, words))
        }
        (None, _) => Err(no_such_image(&reference.map_or_else(|| name.to_owned(), |name| name.familiar()))),
    }
}

/// In docker's words: its client pulls when it reads them.
pub(crate) fn no_such_image(name: &str) -> Error {
    Error::worded(Kind::NotFound, format!("No such image: {name}"))
        .with_hint("See what there is with: skiff images. Fetch it with: skiff pull NAME.")
}
