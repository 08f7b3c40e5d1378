//! A committed image as an archive in the OCI layout, for [`images::Store::load`].
//!
//! It has three or four files: the new layer, the configuration, the manifest and the index. The layers below are named by
//! the manifest and are not in the archive, for the store has them. So an image comes into the store by one way only, with
//! every digest checked, whether it was pulled, loaded, or committed here.

use std::fs::File;
use std::io::{self, Cursor, Read};

use images::manifest::{CONFIG, Descriptor, INDEX, Index, MANIFEST, Manifest};
use images::{Compression, Digest, ImageConfig, Reference};
use namespaces::{Context, Failure};
use unionfs::{Member, Writer};

use crate::error::Result;

/// The annotation by which containerd and Docker name an image in a layout.
const NAME: &str = "io.containerd.image.name";
/// The most that is read of a manifest.
const LIMIT: u64 = 4 << 20;

/// A new layer, at its beginning.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) file: File,
    pub(super) diff_id: Digest,
    pub(super) size: u64,
}

/// The archive. `base` is the manifest of the image below.
pub(super) fn archive(
    base: File,
    config: &ImageConfig,
    layer: Option<Layer>,
    name: Option<&Reference>,
) -> Result<Box<dyn Read + Send>> {
    let step = "write the image's documents";
    let mut text = Vec::new();
    base.take(LIMIT).read_to_end(&mut text).step("read the manifest of the image below")?;
    let below: Manifest = serde_json::from_slice(&text).step("read the manifest of the image below")?;
    let config = serde_json::to_vec(config).step(step)?;
    let mut layers = below.layers;
    let kind = Compression::None.media_type();
    layers.extend(layer.as_ref().map(|layer| Descriptor::new(kind, layer.diff_id, layer.size)));
    let manifest = Manifest::new(Descriptor::new(CONFIG, Digest::of(&config), config.len() as u64), layers);
    let manifest = serde_json::to_vec(&manifest).step(step)?;
    let mut line = Descriptor::new(MANIFEST, Digest::of(&manifest), manifest.len() as u64);
    line.annotations.extend(name.map(|name| (NAME.to_owned(), name.to_string())));
    let index = Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests: vec![line] };
    let index = serde_json::to_vec(&index).step(step)?;
    let mut writer = Writer::new(Vec::new());
    for (name, content) in [
        (blob(&Digest::of(&config)), &config),
        (blob(&Digest::of(&manifest)), &manifest),
        ("index.json".to_owned(), &index),
    ] {
        writer.member(&file(name, content.len() as u64), &mut content.as_slice())?;
    }
    let documents = writer.finish()?;
    Ok(match layer {
        None => Box::new(Cursor::new(documents)),
        Some(layer) => Box::new(first(layer)?.chain(Cursor::new(documents))),
    })
}

/// The layer as the first member. Its header is written by hand as it were, because its content comes from a file: the
/// header of an archive whose only member is empty, with the size put right, is what the writer gives for it.
fn first(layer: Layer) -> Result<impl Read + Send, Failure> {
    let mut header = Writer::new(Vec::new());
    header.begin(&file(blob(&layer.diff_id), layer.size))?;
    let padding = layer.size.next_multiple_of(512) - layer.size;
    let header = Cursor::new(header.into_inner());
    Ok(header.chain(layer.file.take(layer.size)).chain(io::repeat(0).take(padding)))
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn file(name: String, size: u64) -> Member {
    Member { name: name.into_bytes(), size, mode: 0o644, ..Member::default() }
}
