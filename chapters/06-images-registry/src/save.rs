//! `docker save`: an archive that is an OCI layout and docker's own at the same time.
//!
//! The blobs are in it once, and two lists refer to them: `index.json` for OCI tools, `manifest.json` for docker. The
//! layers stay compressed as they came; `docker load` looks into them and does not mind.
//!
//! Blobs are in the order in which they are needed (layers, configuration, manifest), and the lists come last, as
//! docker writes them.

use std::collections::{BTreeMap, HashSet};
use std::io::{Read as _, Write};

use namespaces::Context;
use serde_json::{Value, json};
use unionfs::Digest;

use crate::error::Result;
use crate::index::{IMAGE_NAME, REF_NAME};
use crate::manifest::{Descriptor, INDEX, Index};
use crate::reference::Reference;
use crate::store::{Known, Store, find};

/// ```no_run
/// # let store = images::Store::open(std::path::Path::new("/var/lib/skiff"))?;
/// let mut file = std::fs::File::create("busybox.tar").unwrap();
/// store.save(&["busybox:latest".into()], &mut file)?;
/// # Ok::<(), images::Error>(())
/// ```
impl Store {
    /// Writes images as an archive that both `docker load` and OCI tools read.
    ///
    /// An image that is asked for by name is saved with that name only; by id, without a name. A name without a tag is the whole
    /// repository.
    pub fn save(&self, names: &[String], writer: &mut dyn Write) -> Result<()> {
        let known = self.read().clone();
        let mut images: Vec<(&Known, Vec<Reference>)> = Vec::new();
        for name in names {
            for (image, asked) in meant(&known, name)? {
                match images.iter_mut().find(|(there, _)| there.id == image.id) {
                    Some((_, names)) => names.extend(asked),
                    None => images.push((image, asked.into_iter().collect())),
                }
            }
        }
        let mut archive = tar::Builder::new(writer);
        let mut written = HashSet::new();
        for (image, _) in &images {
            for blob in image.blobs().filter(|blob| written.insert(*blob)) {
                self.append_blob(&mut archive, &blob)?;
            }
        }
        append(&mut archive, "index.json", &serde_json::to_vec(&layout_index(&images)).step("write the index")?)?;
        // Docker would take an artifact for a damaged image, so only OCI's list has it.
        images.retain(|(image, _)| image.manifest.artifact().is_none());
        if !images.is_empty() {
            append(&mut archive, "manifest.json", &serde_json::to_vec(&docker_list(&images)).step("write the list")?)?;
        }
        let oldest = repositories(&images);
        if !oldest.is_empty() {
            append(&mut archive, "repositories", &serde_json::to_vec(&oldest).step("write the repositories")?)?;
        }
        append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(archive.finish().step("write the archive")?)
    }

    /// Streams a blob: a layer may be larger than the memory.
    fn append_blob(&self, archive: &mut tar::Builder<impl Write>, digest: &Digest) -> Result<()> {
        let blob = self.blobs.open_blob(digest)?;
        let size = blob.metadata().during("look at the blob", digest)?.len();
        let name = format!("blobs/sha256/{}", digest.hex());
        Ok(archive.append_data(&mut header(size), name, blob.take(size)).during("write the blob", digest)?)
    }
}

/// The images that a name means. One without a tag is a repository: all images in it, with the names that they have there.
fn meant<'a>(known: &'a [Known], name: &str) -> Result<Vec<(&'a Known, Option<Reference>)>> {
    let parsed = name.parse::<Reference>().ok();
    if let Some(repository) = parsed.as_ref().filter(|name| name.tag().is_none() && name.digest().is_none()) {
        let in_it = |image: &'a Known| {
            let names =
                image.entry.names.iter().filter(|name| name.tag().is_some() && name.same_repository(repository));
            names.map(move |name| (image, Some(name.clone())))
        };
        let all: Vec<_> = known.iter().flat_map(in_it).collect();
        if !all.is_empty() {
            return Ok(all);
        }
    }
    let image = find(known, name)?;
    let asked = parsed.map(Reference::or_latest).filter(|name| image.entry.names.contains(name));
    Ok(vec![(image, asked)])
}

impl Known {
    /// Its layers, its configuration, its manifest.
    fn blobs(&self) -> impl Iterator<Item = Digest> {
        let layers = self.manifest.layers.iter().map(|layer| layer.digest);
        layers.chain([self.manifest.config.digest, self.entry.manifest.digest])
    }
}

/// The OCI list: a line for each name, and one without a name for an image that was asked for by id.
fn layout_index(images: &[(&Known, Vec<Reference>)]) -> Index {
    let line = |image: &Known, name: Option<&Reference>| {
        let annotations = name.map_or_else(BTreeMap::new, |name| {
            let full = name.to_string();
            BTreeMap::from([(REF_NAME.to_owned(), full.clone()), (IMAGE_NAME.to_owned(), full)])
        });
        Descriptor { annotations, ..image.entry.manifest.clone() }
    };
    let lines = |(image, names): &(&Known, Vec<Reference>)| match names.as_slice() {
        [] => vec![line(image, None)],
        names => names.iter().map(|name| line(image, Some(name))).collect(),
    };
    Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests: images.iter().flat_map(lines).collect() }
}

/// What the oldest dockers read (`oldest.rs`): repository, tag, top layer.
fn repositories(images: &[(&Known, Vec<Reference>)]) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut all: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for (image, names) in images {
        let Some(top) = image.manifest.layers.last() else { continue };
        for (name, tag) in names.iter().filter_map(|name| Some((name, name.tag()?))) {
            all.entry(name.familiar_name()).or_default().insert(tag.to_owned(), top.digest.hex());
        }
    }
    all
}

/// docker's `manifest.json`.
/// Paths of the OCI layout as names of files: docker looks up whatever the list says.
fn docker_list(images: &[(&Known, Vec<Reference>)]) -> Value {
    let file = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
    let image = |(image, names): &(&Known, Vec<Reference>)| {
        json!({
            "Config": file(&image.id),
            "RepoTags": names.iter().map(Reference::familiar).collect::<Vec<_>>(),
            "Layers": image.manifest.layers.iter().map(|layer| file(&layer.digest)).collect::<Vec<_>>(),
        })
    };
    images.iter().map(image).collect()
}

/// A small file.
fn append(archive: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<()> {
    Ok(archive.append_data(&mut header(bytes.len() as u64), name, bytes).during("write to the archive", name)?)
}

/// Nothing of the machine is in the archive: the same images give the same bytes.
fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}
