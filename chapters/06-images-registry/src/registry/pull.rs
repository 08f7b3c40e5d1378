//! `docker pull`: from a name to an image in the store.
//!
//! Layers are fetched and unpacked three at a time, each in one pass (`unpack.rs`), in whatever order the network has
//! it: a layer's place among the others is in its chain id, which follows from the configuration. So the configuration
//! comes first.
//!
//! What is here already is not fetched: an image that is known by its id, in whichever wrapping; a layer whose blob and
//! directory are here; and what an interrupted pull of the same image has left.

use std::fs::File;
use std::io::{self, Read, Take};

use namespaces::{Context, Failure};
use unionfs::{Digest, chain_ids};

use super::client::{Client, Fetched};
use super::{Credentials, RegistryOptions};
use crate::blobs::BlobWriter;
use crate::error::{Error, Kind, Result};
use crate::image::{Event, Image, Progress};
use crate::load::no_platform;
use crate::manifest::{CONFIG_LIMIT, Descriptor, Document, MANIFEST, Manifest};
use crate::meter::Meter;
use crate::parallel::in_parallel;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::{Store, check_layers, read_config};
use crate::unpack::{Tee, Unpacked, unpack};

/// Layers that are fetched and unpacked at a time.
pub(super) const THREADS: usize = 3;

/// Fetches an image from its registry into the store and gives it its name.
///
/// With a tag, what the registry has under it now; with a digest, exactly that. The progress is told in docker's words;
/// its last two lines are `Digest: …` and `Status: …`.
/// ```no_run
/// use images::{RegistryOptions, Store, pull};
/// let store = Store::open(std::path::Path::new("/var/lib/skiff"))?;
/// let options = RegistryOptions { insecure: vec!["lab:5000".into()], ..RegistryOptions::default() };
/// let image = pull(&store, &"lab:5000/app".parse()?, None, &options, &|event| println!("{event}"))?;
/// assert_eq!(image.repo_digests.len(), 1);
/// # Ok::<(), images::Error>(())
/// ```
///
/// # Errors
/// [`Kind::NotFound`], [`Kind::Denied`] and [`Kind::Unavailable`] are the registry's; [`Kind::Invalid`] is content that
/// is not what it was announced to be; [`Kind::NoSpace`] is our own disk.
pub fn pull(
    store: &Store,
    name: &Reference,
    credentials: Option<&Credentials>,
    options: &RegistryOptions,
    progress: Progress<'_>,
) -> Result<Image> {
    pull_for(store, name, None, credentials, options, progress)
}

/// The same for another kind of machine. Whether it can run here is for whoever starts a container to find out.
pub fn pull_for(
    store: &Store,
    name: &Reference,
    platform: Option<&Platform>,
    credentials: Option<&Credentials>,
    options: &RegistryOptions,
    progress: Progress<'_>,
) -> Result<Image> {
    let name = name.clone().or_latest();
    let (client, fetched) = Client::first(&name, credentials, options)?;
    progress(Event::of(&name.wanted(), &format!("Pulling from {}", name.path())));
    Pull { store, client: &client, name: &name, platform, progress }.run(fetched)
}

/// The image that `name` means, pulled if it is not here: what `docker run` does first.
pub fn find_or_pull(
    store: &Store,
    name: &str,
    credentials: Option<&Credentials>,
    options: &RegistryOptions,
    progress: Progress<'_>,
) -> Result<Image> {
    match store.resolve(name) {
        Err(error) if error.kind() == Kind::NotFound => pull(store, &name.parse()?, credentials, options, progress),
        found => found,
    }
}

/// One pull under way.
pub(super) struct Pull<'a> {
    /// Where to.
    pub(super) store: &'a Store,
    /// Where from.
    pub(super) client: &'a Client<'a>,
    /// As it was asked for, with a tag or a digest.
    name: &'a Reference,
    /// For which machine, when somebody asked; it must be this one then, not only the best that there is.
    platform: Option<&'a Platform>,
    /// Who is told.
    pub(super) progress: Progress<'a>,
}

/// A layer to be fetched.
struct Job {
    /// What to fetch.
    blob: Descriptor,
    /// What its content must be.
    diff_id: Digest,
    /// Name of its directory.
    chain: Digest,
    /// Name of the one below, from which that name is made.
    below: Option<Digest>,
}

impl Pull<'_> {
    /// From the first document to the two last lines.
    /// The name is given last, so that until then it means what it meant before.
    fn run(&self, fetched: Fetched) -> Result<Image> {
        let top = fetched.digest;
        let (manifest, bytes) = self.choose(fetched)?;
        let descriptor =
            Descriptor::new(manifest.media_type.as_deref().unwrap_or(MANIFEST), Digest::of(&bytes), bytes.len() as u64);
        let names = self.names(top);
        let artifact = manifest.artifact().is_some();
        let id = if artifact { descriptor.digest } else { manifest.config.digest };
        let before = self.store.resolve(&self.name.familiar()).ok().map(|image| image.id);
        let image = match self.store.known_as(&id) {
            // The image is here, perhaps in another wrapping; it only gets another name.
            Some(there) => {
                manifest.layers.iter().for_each(|layer| self.tell(layer, "Already exists"));
                self.store.add(&there, &names)?
            }
            None if artifact => self.artifact(&manifest, &bytes, &descriptor, &names)?,
            None => self.fetch(&manifest, &bytes, &descriptor, &names)?,
        };
        (self.progress)(Event::plain(format!("Digest: {top}")));
        let news = if before == Some(id) { "Image is up to date" } else { "Downloaded newer image" };
        (self.progress)(Event::plain(format!("Status: {news} for {}", self.name.familiar())));
        Ok(image)
    }

    /// A tag is known by itself and by the digest it had; a digest only by itself.
    fn names(&self, top: Digest) -> Vec<Reference> {
        let tag = self.name.digest().is_none().then(|| self.name.clone());
        tag.into_iter().chain([self.name.with_digest(top)]).collect()
    }

    /// Goes from an index to the manifest for this machine.
    /// The second document is asked for by its digest, so no registry can slip in another one.
    fn choose(&self, fetched: Fetched) -> Result<(Manifest, Vec<u8>)> {
        let wanted = self.platform.cloned().unwrap_or_else(Platform::host);
        let fetched = match Document::read(&fetched.bytes, fetched.stated())? {
            Document::Manifest(manifest) => return Ok((manifest, fetched.bytes)),
            Document::Index(index) => {
                let chosen = index.choose(&wanted).ok_or_else(|| no_platform(&index, &wanted))?;
                self.client.manifest(&chosen.digest.to_string())?
            }
        };
        match Document::read(&fetched.bytes, fetched.stated())? {
            Document::Manifest(manifest) => Ok((manifest, fetched.bytes)),
            Document::Index(_) => {
                Err(Error::new(Kind::Invalid, Failure::new("use the manifest", "it is an index within an index")))
            }
        }
    }

    /// Configuration, layers, manifest, in this order; then the line in the index. On failure nothing of it is kept,
    /// except after a broken connection: then the layers that are whole wait for the next attempt.
    fn fetch(&self, manifest: &Manifest, bytes: &[u8], descriptor: &Descriptor, names: &[Reference]) -> Result<Image> {
        let config_bytes = self.client.small_blob(&manifest.config, CONFIG_LIMIT)?;
        let config = read_config(&config_bytes)?;
        // A manifest without an index says only in its configuration what it is for.
        self.platform.map_or(Ok(()), |wanted| config.platform().check(&self.name.familiar(), wanted))?;
        check_layers(manifest, &config)?;
        let chains = chain_ids(&config.rootfs.diff_ids);
        let blobs = manifest.layers.iter().map(|layer| layer.digest).chain([manifest.config.digest, descriptor.digest]);
        let everything: Vec<_> = blobs.chain(chains.iter().copied()).collect();
        let below = [None].into_iter().chain(chains.iter().copied().map(Some));
        let layers = manifest.layers.iter().zip(&config.rootfs.diff_ids).zip(&chains).zip(below);
        let job = |(((blob, diff_id), chain), below): (((&Descriptor, &Digest), &Digest), Option<Digest>)| Job {
            blob: blob.clone(),
            diff_id: *diff_id,
            chain: *chain,
            below,
        };
        let jobs: Vec<_> = layers.map(job).collect();
        for job in &jobs {
            self.tell(&job.blob, "Pulling fs layer");
        }
        for job in jobs.iter().skip(THREADS) {
            self.tell(&job.blob, "Waiting");
        }
        // Whole layers that came before the connection broke need not come again the next time.
        let discard = |error: &Error| error.kind() != Kind::Unavailable;
        self.store.keeping(&everything, discard, || {
            in_parallel(THREADS, jobs, |job| self.layer(&job))?;
            self.store.blobs.put(&config_bytes)?;
            self.store.blobs.put(bytes)?;
            self.store.add(descriptor, names)
        })
    }

    /// One layer: from what is here already, or from the registry.
    fn layer(&self, job: &Job) -> Result<()> {
        let (has_blob, has_layer) =
            (self.store.blobs.has(&job.blob.digest), self.store.layers.get(&job.chain).is_some());
        if has_blob && has_layer {
            self.tell(&job.blob, "Already exists");
            return Ok(());
        }
        if has_blob {
            self.tell(&job.blob, "Extracting");
            let unpacked = unpack(self.store.blobs.open_blob(&job.blob.digest)?, &self.store.layers)?;
            unpacked.verify(&job.diff_id)?;
            unpacked.directory.finish(job.below, job.diff_id, unpacked.stats)?;
        } else {
            self.download(job)?;
        }
        self.tell(&job.blob, "Pull complete");
        Ok(())
    }

    /// Fetches, verifies and unpacks in one pass. What an earlier attempt has left is read from the disk and passes through
    /// the same pipe; only the rest is asked for. When the connection breaks for good, what came is kept for the next time.
    fn download(&self, job: &Job) -> Result<()> {
        let (mut blob, earlier) = self.store.blobs.resume(&job.blob.digest, job.blob.size)?;
        let unpacked = self.through(job, earlier, &mut blob);
        let unpacked = match unpacked {
            Err(error) if error.kind() == Kind::Unavailable => {
                blob.spare();
                return Err(error);
            }
            Err(error) if error.kind() != Kind::Invalid => return Err(error),
            unpacked => unpacked,
        };
        self.tell(&job.blob, "Verifying Checksum");
        let written = blob.finish()?;
        // A layer that cannot be unpacked may be a layer that was damaged on the way: its digest tells.
        written.verify(&job.blob.digest)?;
        self.tell(&job.blob, "Download complete");
        let unpacked = unpacked?;
        unpacked.verify(&job.diff_id)?;
        self.tell(&job.blob, "Extracting");
        unpacked.directory.finish(job.below, job.diff_id, unpacked.stats)?;
        written.keep().map(drop)
    }

    /// The pipe of [`Pull::download`]. All of the blob has gone into `blob`, also when it cannot be unpacked.
    fn through(&self, job: &Job, earlier: Option<File>, blob: &mut BlobWriter) -> Result<Unpacked> {
        let id = job.blob.digest.short();
        let step = "fetch the layer";
        let at = earlier.as_ref().map_or(Ok(0), |file| file.metadata().map(|data| data.len())).step(step)?;
        let body = self.client.blob(&job.blob, at)?;
        let whole = Earlier(earlier.map(|file| file.take(at))).chain(body);
        let reader = Meter::new(whole, &id, "Downloading", job.blob.size, self.progress);
        let mut tee = Tee { reader, blob };
        let unpacked = unpack(&mut tee, &self.store.layers);
        if unpacked.as_ref().err().is_none_or(|error| error.kind() == Kind::Invalid) {
            io::copy(&mut tee.by_ref(), &mut io::sink()).map_err(|error| Error::of_read(error, step))?;
        }
        unpacked
    }

    /// One message about a layer.
    pub(super) fn tell(&self, blob: &Descriptor, status: &str) {
        (self.progress)(Event::of(&blob.digest.short(), status));
    }
}

/// What an earlier attempt has left, which may be nothing.
struct Earlier(Option<Take<File>>);

impl Read for Earlier {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.as_mut().map_or(Ok(0), |file| file.read(buffer))
    }
}
