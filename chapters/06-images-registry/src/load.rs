//! `docker load`: the archives that `docker save` and OCI tools write.
//!
//! Both are tar archives of files that refer to each other by name, and the file that says what belongs to what is
//! usually the last. So all files are first put aside, as blobs without a name; each then either gets its name or goes
//! away.
//!
//! - docker's layout has a `manifest.json` with the names of the files (in archives of old versions `ID/layer.tar`, and
//!   symbolic links where two images share a layer);
//! - the OCI layout has an `index.json` and files named by digest, `blobs/sha256/HEX`. Docker writes both since version
//!   25.
//!
//! ```text
//! docker, before 25                    docker since 25, skopeo, podman, we
//! ─────────────────                    ───────────────────────────────────
//! manifest.json                        manifest.json        docker's list, with names of files below
//! 7ecddd79….json    configuration      index.json           the OCI list
//! 48adac30…/layer.tar                  oci-layout
//! 48adac30…/json    (not read)         blobs/sha256/7ecd…   configuration, layers, manifests
//! repositories      (not read)
//! ```
//!
//! Docker's list goes first where there are both: `docker load` reads it, and so both engines make the same of an
//! archive. An image from it has no manifest in the archive, and gets one from us. When one platform is asked for, it is the
//! other way round: only the OCI list can have the same image for several. An archive with neither is one of docker's before
//! version 1.10 (`oldest.rs`).
//!
//! Names of files are only looked up in the table of files that the archive has. None is ever a path on the host, so
//! there is nothing that a `../../etc/passwd` could reach (CVE-2014-9358).

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};

use namespaces::{Context, Failure};
use serde::Deserialize;
use unionfs::{Archive, Digest, MemberKind};

use crate::blobs::{Blobs, Written};
use crate::compression::{Compression, decompress};
use crate::error::{Error, Kind, Result};
use crate::image::{Image, Progress};
use crate::index::{IMAGE_NAME, REF_NAME};
use crate::manifest::{CONFIG, CONFIG_LIMIT, Descriptor, Document, INDEX, Index, MANIFEST_LIMIT, Manifest};
use crate::platform::Platform;
use crate::reference::Reference;
use crate::store::{Store, read_config};

/// Files that one archive may have.
const FILES: usize = 20_000;

/// One image in `manifest.json`.
/// With docker's names. Other keys (`LayerSources`, `Parent`) are for nobody here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    /// Name of the configuration's file.
    config: String,
    /// Its names, as people write them; `null` for none.
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    /// Names of the layers' files, lowest first.
    #[serde(default)]
    layers: Option<Vec<String>>,
}

impl Store {
    /// Loads every image of an archive that `docker save` or an OCI tool wrote, compressed or not. The names it had, or
    /// none, come back with each image.
    /// The archive is read once, from front to back: it may come over a socket. Until the end nothing of it is visible;
    /// after a failure nothing of it is left. Each layer that is new is told as `Loading layer`.
    ///
    /// # Errors
    /// [`Kind::Invalid`] with what is wrong, when it is not such an archive, is damaged, or is not one image after
    /// another; [`Kind::NoSpace`] when the disk is full.
    pub fn load(&self, archive: impl Read + Send, progress: Progress<'_>) -> Result<Vec<Image>> {
        self.load_for(archive, None, progress)
    }

    /// The same for another kind of machine: of an image for several platforms the one for `platform` is taken.
    ///
    /// # Errors
    /// Also [`Kind::NotFound`], when the archive has nothing for that platform.
    pub fn load_for(
        &self,
        archive: impl Read + Send,
        platform: Option<&Platform>,
        progress: Progress<'_>,
    ) -> Result<Vec<Image>> {
        let mut spool = Spool::fill(archive, &self.blobs)?;
        let wanted = spool.images(platform)?;
        if let Some(platform) = platform {
            wanted.iter().try_for_each(|(manifest, names)| spool.check_platform(manifest, names, platform))?;
        }
        let load = |(manifest, names): (Vec<u8>, Vec<Reference>)| {
            let mut image = self.admit(&mut spool, &manifest, &names, progress)?;
            image.repo_tags = names;
            Ok(image)
        };
        wanted.into_iter().map(load).collect()
    }
}

/// The files of an archive, put aside.
pub(crate) struct Spool<'a> {
    /// Where the files are put aside, and where they stay.
    blobs: &'a Blobs,
    /// Digest of each file by its name.
    files: HashMap<String, Digest>,
    /// Where each link leads, as a name in the archive.
    links: HashMap<String, String>,
    /// The files themselves. Two with the same content are one.
    written: HashMap<Digest, Written>,
}

impl<'a> Spool<'a> {
    /// Nothing yet.
    pub(crate) fn new(blobs: &'a Blobs) -> Self {
        Self { blobs, files: HashMap::new(), links: HashMap::new(), written: HashMap::new() }
    }

    /// Reads the whole archive. It may be compressed as a whole, which `docker load` accepts too.
    fn fill(archive: impl Read, blobs: &'a Blobs) -> Result<Self> {
        let (_, stream) = decompress(archive).map_err(|error| Error::of_read(error, "read the archive"))?;
        let mut archive = Archive::new(BufReader::with_capacity(1 << 17, stream));
        let mut spool = Self::new(blobs);
        while let Some(member) = archive.next_member().map_err(Error::of_archive)? {
            let name = String::from_utf8_lossy(&member.name).into_owned();
            let link = String::from_utf8_lossy(&member.link).into_owned();
            match member.kind {
                MemberKind::File => {
                    let digest = spool.put(&mut archive)?;
                    spool.files.insert(clean(&name), digest);
                }
                MemberKind::HardLink => drop(spool.links.insert(clean(&name), clean(&link))),
                MemberKind::Symlink => drop(spool.links.insert(clean(&name), clean(&format!("{name}/../{link}")))),
                _ => {}
            }
            if spool.files.len() + spool.links.len() > FILES {
                return Err(refuse(format!("it has more than {FILES} files")));
            }
        }
        Ok(spool)
    }

    /// The manifest and the names of each image of the archive, by the first list that is there.
    fn images(&mut self, platform: Option<&Platform>) -> Result<Vec<(Vec<u8>, Vec<Reference>)>> {
        let docker = self.read("manifest.json", MANIFEST_LIMIT)?;
        let oci = self.read("index.json", MANIFEST_LIMIT)?;
        match (docker, oci) {
            (docker, Some(index)) if docker.is_none() || platform.is_some() => {
                self.layout(&index, &platform.cloned().unwrap_or_else(Platform::host))
            }
            (Some(list), _) => self.saved(&list),
            _ if self.files.is_empty() => Err(refuse("it is empty")),
            _ => match self.read("repositories", MANIFEST_LIMIT)? {
                Some(repositories) => self.oldest(&repositories),
                None => Err(refuse("it has neither a manifest.json nor an index.json")
                    .with_hint("Is it the archive of a root file system? Then use: skiff import FILE NAME.")),
            },
        }
    }

    /// Fails unless the image is for `wanted`: not every list says what an image is for, but its configuration does.
    fn check_platform(&self, manifest: &[u8], names: &[Reference], wanted: &Platform) -> Result<()> {
        let Document::Manifest(manifest) = Document::read(manifest, None)? else { return Ok(()) };
        if manifest.artifact().is_some() {
            return Ok(());
        }
        let id = manifest.config.digest;
        let name = names.first().map_or_else(|| id.to_string(), Reference::familiar);
        read_config(&self.bytes(&id, CONFIG_LIMIT)?)?.platform().check(&name, wanted)
    }

    /// Puts a file aside; returns its digest.
    /// It is a blob without a name from here on, and goes away with the spool unless it is kept.
    pub(crate) fn put(&mut self, file: &mut dyn Read) -> Result<Digest> {
        let mut writer = self.blobs.writer()?;
        let mut buffer = vec![0; 1 << 17];
        loop {
            let length = file.read(&mut buffer).map_err(|error| Error::of_read(error, "read the archive"))?;
            if length == 0 {
                break;
            }
            writer.write(buffer.get(..length).unwrap_or_default())?;
        }
        let written = writer.finish()?;
        let digest = written.digest;
        self.written.insert(digest, written);
        Ok(digest)
    }

    /// The digest of the file of this name.
    pub(crate) fn find(&self, name: &str) -> Option<Digest> {
        let mut name = clean(name);
        // A link to a link to itself ends here.
        for _ in 0..8 {
            match self.files.get(&name) {
                Some(digest) => return Some(*digest),
                None => name = self.links.get(&name)?.clone(),
            }
        }
        None
    }

    /// The content of the small file of this name, if there is one.
    pub(crate) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        self.find(name).map(|digest| self.bytes(&digest, limit)).transpose()
    }

    /// The content of a small file.
    pub(crate) fn bytes(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(digest)?.take(limit + 1).read_to_end(&mut bytes).during("read the blob", digest)?;
        if bytes.len() as u64 > limit {
            return Err(refuse(format!("the file {digest} has more than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// Opens a file, or the blob of the store that it has become.
    pub(crate) fn open(&self, digest: &Digest) -> Result<File> {
        match self.written.get(digest) {
            Some(written) => written.reopen(),
            None if self.blobs.has(digest) => self.blobs.open_blob(digest),
            None => Err(refuse(format!("the blob {digest} is missing"))),
        }
    }

    /// Makes it a blob of the store.
    pub(crate) fn keep(&mut self, digest: &Digest) -> Result<()> {
        match self.written.remove(digest) {
            Some(written) if !self.blobs.has(digest) => written.keep().map(drop),
            _ => Ok(()),
        }
    }

    /// The images of docker's layout: a manifest for each, made up by us, and its names.
    fn saved(&self, list: &[u8]) -> Result<Vec<(Vec<u8>, Vec<Reference>)>> {
        let saved: Vec<Saved> =
            serde_json::from_slice(list).map_err(|error| refuse(format!("its manifest.json is malformed: {error}")))?;
        saved.iter().map(|image| self.saved_image(image)).collect()
    }

    /// An image of docker's list. It has no manifest in the archive, so it gets one.
    fn saved_image(&self, image: &Saved) -> Result<(Vec<u8>, Vec<Reference>)> {
        let layers = image.layers.iter().flatten().map(|name| self.described(name)).collect::<Result<_>>()?;
        let config = Descriptor { media_type: CONFIG.to_owned(), ..self.described(&image.config)? };
        let manifest = Manifest::new(config, layers);
        let names = image.repo_tags.iter().flatten().map(|name| name.parse()).collect::<Result<_>>()?;
        Ok((serde_json::to_vec(&manifest).step("write the manifest")?, names))
    }

    /// A layer of the archive as a descriptor. Its type is found by looking into it: docker's lists do not say how a layer is
    /// compressed, and `docker save` writes them plain.
    pub(crate) fn described(&self, name: &str) -> Result<Descriptor> {
        let digest = self.find(name).ok_or_else(|| refuse(format!("the file {name} is missing")))?;
        let mut start = Vec::new();
        self.open(&digest)?.take(4).read_to_end(&mut start).during("read the blob", digest)?;
        let size = self.written.get(&digest).map_or(0, |written| written.size);
        Ok(Descriptor::new(Compression::detect(&start).media_type(), digest, size))
    }

    /// The images of an OCI layout.
    fn layout(&self, index: &[u8], wanted: &Platform) -> Result<Vec<(Vec<u8>, Vec<Reference>)>> {
        let Document::Index(index) = Document::read(index, Some(INDEX))? else {
            return Err(refuse("its index.json is a manifest"));
        };
        let fits = |each: &&Descriptor| each.platform.as_ref().is_none_or(|platform| platform.fits(wanted));
        let found: Vec<_> = index.manifests.iter().filter(fits).collect();
        if found.is_empty() && !index.manifests.is_empty() {
            return Err(no_platform(&index, wanted));
        }
        let image = |descriptor: &Descriptor| Ok((self.manifest(descriptor, wanted)?, names_of(descriptor)));
        found.into_iter().map(image).collect()
    }

    /// Follows an index to the manifest for the machine that is wanted.
    /// Each step is a file of the archive, found by its digest.
    fn manifest(&self, descriptor: &Descriptor, wanted: &Platform) -> Result<Vec<u8>> {
        let bytes = self.bytes(&descriptor.digest, MANIFEST_LIMIT)?;
        match Document::read(&bytes, Some(&descriptor.media_type))? {
            Document::Manifest(_) => Ok(bytes),
            Document::Index(index) => {
                let chosen = index.choose(wanted).ok_or_else(|| no_platform(&index, wanted))?;
                let bytes = self.bytes(&chosen.digest, MANIFEST_LIMIT)?;
                match Document::read(&bytes, Some(&chosen.media_type))? {
                    Document::Manifest(_) => Ok(bytes),
                    Document::Index(_) => Err(refuse("it has an index within an index")),
                }
            }
        }
    }
}

/// The names of an image in an OCI layout. A lone `latest` is a tag of we do not know what.
fn names_of(descriptor: &Descriptor) -> Vec<Reference> {
    let full = descriptor.annotations.get(IMAGE_NAME);
    let name = full.or(descriptor.annotations.get(REF_NAME).filter(|name| name.contains(['/', ':'])));
    name.and_then(|name| name.parse::<Reference>().ok()).map(Reference::or_latest).into_iter().collect()
}

/// In docker's words, which say what was looked for, and with a hint that says what there is.
pub(crate) fn no_platform(index: &Index, wanted: &Platform) -> Error {
    let words = format!("no matching manifest for {wanted} in the manifest list entries");
    Error::worded(Kind::NotFound, words).with_hint(format!("The image is only for {}.", index.platforms()))
}

/// One spelling for each name.
fn clean(name: &str) -> String {
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The failure of an archive that is not what it should be.
pub(crate) fn refuse(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, Failure::new("load the archive", why))
}
