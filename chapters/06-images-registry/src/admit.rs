//! An image whose files are all at hand becomes an image of the store.
//!
//! The order is what makes a crash harmless. Layers first, each whole or absent; then the blobs; then the manifest; and
//! last the line in the index, which alone makes an image of them. Whatever happens in between, the worst that is left
//! is something that nobody refers to.

use std::io;

use namespaces::{Context, Failure};
use unionfs::{Digest, Hashing, chain_ids};

use crate::compression::decompress;
use crate::config::ImageConfig;
use crate::error::{Error, Kind, Result};
use crate::image::{Event, Image, Progress};
use crate::load::Spool;
use crate::manifest::{CONFIG, CONFIG_LIMIT, Descriptor, Document, MANIFEST, Manifest};
use crate::meter::Meter;
use crate::parallel::in_parallel;
use crate::reference::Reference;
use crate::store::{Store, check_layers, read_config};
use crate::unpack::unpack;

/// Layers that are unpacked at a time. Each takes two threads.
/// More would not help: unpacking is bound by the disk and by the processors, not by waiting.
const THREADS: usize = 2;

/// A layer that has to be unpacked.
struct Job {
    /// The archive as it travelled.
    blob: Descriptor,
    /// Digest that its content must have.
    diff_id: Digest,
    /// Chain id of what is below it, which goes into its own.
    below: Option<Digest>,
}

impl Store {
    /// Unpacks the layers that are new, keeps the blobs, and gives the image its names.
    /// All digests have been checked before: the spool is a table of files by digest, so what is found under a digest
    /// has it. What is still to be checked is that each layer's archive is the one that the configuration promises.
    pub(crate) fn admit(
        &self,
        spool: &mut Spool<'_>,
        manifest_bytes: &[u8],
        names: &[Reference],
        progress: Progress<'_>,
    ) -> Result<Image> {
        let Document::Manifest(manifest) = Document::read(manifest_bytes, None)? else {
            return Err(Error::new(Kind::Invalid, Failure::new("use the manifest", "it is an index")));
        };
        // Of what is no image nothing is understood: it has no layers to unpack, only blobs to keep.
        let config = match manifest.artifact() {
            Some(_) => ImageConfig::default(),
            None => read_config(&spool.bytes(&manifest.config.digest, CONFIG_LIMIT)?)?,
        };
        if manifest.artifact().is_none() {
            check_layers(&manifest, &config)?;
        }
        let digest = Digest::of(manifest_bytes);
        let chains = chain_ids(&config.rootfs.diff_ids);
        let blobs: Vec<_> = manifest.layers.iter().chain([&manifest.config]).map(|blob| blob.digest).collect();
        self.keeping(
            &[&chains[..], &blobs[..], &[digest]].concat(),
            |_| true,
            || {
                let missing = self.missing(&manifest, &config, &chains);
                in_parallel(THREADS, missing, |job| self.unpack_layer(spool, &job, progress))?;
                for blob in &blobs {
                    spool.keep(blob)?;
                }
                self.blobs.put(manifest_bytes)?;
                let kind = manifest.media_type.as_deref().unwrap_or(MANIFEST);
                self.add(&Descriptor::new(kind, digest, manifest_bytes.len() as u64), names)
            },
        )
    }

    /// Does `work` while nobody removes these blobs and layers. When it fails and `discard` says so, those that nobody
    /// else needs are removed.
    pub(crate) fn keeping<T>(
        &self,
        digests: &[Digest],
        discard: impl FnOnce(&Error) -> bool,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let pin = self.blobs.pin(digests.iter().copied());
        let answer = work();
        drop(pin);
        if let Err(error) = &answer
            && discard(error)
        {
            // The first failure is the one to tell.
            let _ = self.discard(digests);
        }
        answer
    }

    /// The layers that are not unpacked yet. They may be unpacked in any order: none looks at another.
    fn missing(&self, manifest: &Manifest, config: &ImageConfig, chains: &[Digest]) -> Vec<Job> {
        let below = [None].into_iter().chain(chains.iter().copied().map(Some));
        let all = manifest.layers.iter().zip(&config.rootfs.diff_ids).zip(chains).zip(below);
        all.filter(|(((_, _), chain), _)| self.layers.get(chain).is_none())
            .map(|(((blob, diff_id), _), below)| Job { blob: blob.clone(), diff_id: *diff_id, below })
            .collect()
    }

    /// One layer, told as docker tells it: `Loading layer`, under the first digits of its diff id.
    fn unpack_layer(&self, spool: &Spool<'_>, job: &Job, progress: Progress<'_>) -> Result<()> {
        let file = spool.open(&job.blob.digest)?;
        let size = file.metadata().during("look at the blob", job.blob.digest)?.len();
        let id = job.diff_id.short();
        let unpacked = unpack(Meter::new(file, &id, "Loading layer", size, progress), &self.layers)?;
        unpacked.verify(&job.diff_id)?;
        unpacked.directory.finish(job.below, job.diff_id, unpacked.stats)?;
        Ok(())
    }

    /// Makes an image of these layers (tar archives, compressed or not, lowest first). Their diff ids are put into the
    /// configuration.
    pub fn build_from_parts(&self, mut config: ImageConfig, layers: &[&[u8]], tag: &Reference) -> Result<Image> {
        let mut spool = Spool::new(&self.blobs);
        let mut descriptors = Vec::new();
        config.rootfs.diff_ids.clear();
        for mut layer in layers.iter().copied() {
            let read = |error| Error::of_read(error, "read the layer");
            let (compression, archive) = decompress(layer).map_err(read)?;
            let mut archive = Hashing::new(archive);
            io::copy(&mut archive, &mut io::sink()).map_err(read)?;
            config.rootfs.diff_ids.push(archive.finish().0);
            let size = layer.len() as u64;
            descriptors.push(Descriptor::new(compression.media_type(), spool.put(&mut layer)?, size));
        }
        self.assemble(spool, &config, descriptors, std::slice::from_ref(tag), &|_: Event| {})
    }

    /// Makes an image of a configuration and layers that are in the spool or the store.
    pub(crate) fn assemble(
        &self,
        mut spool: Spool<'_>,
        config: &ImageConfig,
        layers: Vec<Descriptor>,
        names: &[Reference],
        progress: Progress<'_>,
    ) -> Result<Image> {
        let config = serde_json::to_vec(config).step("write the configuration")?;
        let digest = spool.put(&mut config.as_slice())?;
        let manifest = Manifest::new(Descriptor::new(CONFIG, digest, config.len() as u64), layers);
        let manifest = serde_json::to_vec(&manifest).step("write the manifest")?;
        self.admit(&mut spool, &manifest, names, progress)
    }
}
