//! The store of images: an OCI image layout on disk, and what is known of it in memory.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use unionfs::{Digest, Layers};

use crate::config::ImageConfig;
use crate::error::Result;
use crate::reference::Reference;

/// One image.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Digest of its configuration.
    pub id: Digest,
    /// What to run, and which layers.
    pub config: ImageConfig,
    /// Digest of the manifest that lists its blobs.
    pub manifest: Digest,
    /// Chain ids of its layers, lowest first.
    pub layers: Vec<Digest>,
    /// Bytes of the files in all its layers.
    pub size: u64,
    /// When it was made, RFC 3339; empty when it does not say.
    pub created: String,
    /// Its names with a tag, sorted.
    pub repo_tags: Vec<Reference>,
    /// The names with a digest under which registries have it, sorted.
    pub repo_digests: Vec<Reference>,
}

/// What [`Store::remove`] did, in docker's order: each becomes one line of `docker rmi`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name that is no longer known.
    Untagged(Reference),
    /// An image or a layer that is gone.
    Deleted(Digest),
}

/// The images of one data directory. Shared by threads; every method takes `&self`.
#[derive(Debug)]
pub struct Store {
    layers: Layers,
}

impl Store {
    /// Opens `DATA_ROOT/images` and `DATA_ROOT/layers`, and makes them if they are missing. Fails when another process has
    /// them open.
    pub fn open(data_root: &Path) -> Result<Self> {
        let _ = data_root;
        todo!()
    }

    /// The unpacked layers.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// The image's layers as directories, top one first: [`unionfs::Overlay::lowers`].
    pub fn lowers(&self, image: &Image) -> Vec<PathBuf> {
        image.layers.iter().rev().map(|layer| self.layers.diff(layer)).collect()
    }

    /// Every image, newest first.
    pub fn list(&self) -> Vec<Image> {
        todo!()
    }

    /// The image that `name` means: a reference, `sha256:` and an id, or the beginning of an id.
    pub fn resolve(&self, name: &str) -> Result<Image> {
        let _ = name;
        todo!()
    }

    /// The image with this id.
    pub fn get(&self, id: &Digest) -> Result<Image> {
        let _ = id;
        todo!()
    }

    /// Gives the image `id` the name `name` (`latest` without a tag), taking it from another image that has it.
    pub fn tag(&self, id: &Digest, name: &Reference) -> Result<()> {
        let _ = (id, name);
        todo!()
    }

    /// What `docker rmi NAME` does: takes the name away, and with the last name the image and its unshared layers.
    ///
    /// `used` is the images of containers, with the container's short id: such an image is kept unless `force`, and its
    /// layers in any case.
    pub fn remove(&self, name: &str, force: bool, used: &[(Digest, String)]) -> Result<Vec<Removed>> {
        let _ = (name, force, used);
        todo!()
    }

    /// Loads every image of an archive that `docker save` or an OCI tool wrote, compressed or not. The names it had, or
    /// none, come back with each image.
    pub fn load(&self, archive: impl Read + Send, progress: Progress<'_>) -> Result<Vec<Image>> {
        let _ = (archive, progress);
        todo!()
    }

    /// Makes an image of one layer from a tar archive of a root file system, compressed or not.
    pub fn import(&self, archive: impl Read + Send, import: Import) -> Result<Image> {
        let _ = (archive, import);
        todo!()
    }

    /// Makes an image of these layers (tar archives, lowest first).
    pub fn build_from_parts(&self, config: ImageConfig, layers: &[&[u8]], tag: &Reference) -> Result<Image> {
        let _ = (config, layers, tag);
        todo!()
    }

    /// Writes images as an archive that both `docker load` and OCI tools read.
    pub fn save(&self, names: &[String], writer: &mut dyn Write) -> Result<()> {
        let _ = (names, writer);
        todo!()
    }
}

/// What an imported image gets besides its files.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// Its name.
    pub name: Option<Reference>,
    /// Dockerfile instructions that set its configuration (`CMD ["sh"]`, `ENV A=b`).
    pub changes: Vec<String>,
    /// The remark in its history.
    pub message: Option<String>,
}

/// Who is told how a load or a pull goes on. Called from several threads.
pub type Progress<'a> = &'a (dyn Fn(Event) + Sync);

/// One message about a load or a pull: the fields of a line in docker's progress stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Event {
    /// Which layer (12 digits), or the tag in the first line.
    pub id: Option<String>,
    /// `Pulling fs layer`, `Downloading`, `Pull complete`, `Status: Downloaded newer image for busybox:latest`, …
    pub status: String,
    /// Bytes done, of `total`, while `Downloading` or `Loading layer`.
    pub current: Option<u64>,
    /// Bytes altogether, when known.
    pub total: Option<u64>,
}
