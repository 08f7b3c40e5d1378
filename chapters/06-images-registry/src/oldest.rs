//! The archives that `docker save` wrote before version 1.10, when an image was a chain of layers and nothing else.
//!
//! ```text
//! repositories      {"busybox": {"latest": "4a6f…"}}
//! 4a6f…/json        {"id": "4a6f…", "parent": "77b1…", "created": …, "config": {…}, "container_config": {"Cmd": […]}}
//! 4a6f…/layer.tar
//! 77b1…/json        the layer below; the lowest has no parent
//! 77b1…/layer.tar
//! ```
//!
//! The ids were drawn by lot, so nothing here can be checked against its name. What comes out is an image as all others: the
//! `json` of the top layer is nearly a configuration, and what is missing in it (which layers, what each step did) follows
//! from the chain (moby, `image/v1/imagev1.go`).

use std::collections::BTreeMap;

use namespaces::Context as _;
use serde::Deserialize;
use serde_json::{Map, Value};
use unionfs::{Digest, Hashing};

use crate::compression::decompress;
use crate::config::{History, ImageConfig, RootFs};
use crate::error::{Error, Result};
use crate::load::{Spool, refuse};
use crate::manifest::{CONFIG, CONFIG_LIMIT, Descriptor, Manifest};
use crate::reference::Reference;

/// Layers that one image may have. Docker never made more than 127.
const DEPTH: usize = 500;

/// What `repositories` says: repository, tag, id of the top layer.
type Repositories = BTreeMap<String, BTreeMap<String, String>>;

/// `ID/json`, as far as it is about the layer; the rest is about the image.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Layer {
    parent: String,
    created: Option<String>,
    author: String,
    comment: String,
    container_config: Command,
    /// Everything, for the image whose top this is.
    #[serde(flatten)]
    image: Map<String, Value>,
}

/// What made the layer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Command {
    cmd: Option<Vec<String>>,
}

impl Spool<'_> {
    /// The manifest and the names of each image in the archive, made from its `repositories`.
    pub(crate) fn oldest(&mut self, repositories: &[u8]) -> Result<Vec<(Vec<u8>, Vec<Reference>)>> {
        let malformed = |error| refuse(format!("its repositories file is malformed: {error}"));
        let repositories: Repositories = serde_json::from_slice(repositories).map_err(malformed)?;
        let mut images: BTreeMap<String, Vec<Reference>> = BTreeMap::new();
        for (repository, tags) in repositories {
            for (tag, id) in tags {
                images.entry(id).or_default().push(format!("{repository}:{tag}").parse()?);
            }
        }
        images.into_iter().map(|(id, names)| Ok((self.image_of(&id)?, names))).collect()
    }

    /// The manifest of the image whose top layer is `top`; its configuration is put aside.
    fn image_of(&mut self, top: &str) -> Result<Vec<u8>> {
        let mut layers = Vec::new();
        let mut history = Vec::new();
        let mut image = Map::new();
        let mut next = top.to_owned();
        while !next.is_empty() {
            if layers.len() == DEPTH {
                return Err(refuse(format!("the image {top} has more than {DEPTH} layers")));
            }
            let layer = self.layer(&next)?;
            if layers.is_empty() {
                image = layer.image;
            }
            let step = layer.container_config.cmd.unwrap_or_default().join(" ");
            let (created, author, comment) = (layer.created, layer.author, layer.comment);
            history.push(History { created, created_by: step, author, comment, empty_layer: false });
            layers.push(format!("{next}/layer.tar"));
            next = layer.parent;
        }
        layers.reverse();
        history.reverse();
        let diff_ids = layers.iter().map(|name| self.diff_id(name)).collect::<Result<_>>()?;
        let described = layers.iter().map(|name| self.described(name)).collect::<Result<_>>()?;
        let (created, author) =
            history.last().map(|top: &History| (top.created.clone(), top.author.clone())).unwrap_or_default();
        image.retain(|key, _| matches!(key.as_str(), "architecture" | "os" | "config" | "docker_version"));
        let malformed = |error| refuse(format!("the json of {top} is malformed: {error}"));
        let config: ImageConfig = serde_json::from_value(Value::Object(image)).map_err(malformed)?;
        let rootfs = RootFs { diff_ids, ..RootFs::default() };
        let config = ImageConfig { created, author, rootfs, history, ..config };
        let config = serde_json::to_vec(&config).step("write the configuration")?;
        let config = Descriptor::new(CONFIG, self.put(&mut config.as_slice())?, config.len() as u64);
        Ok(serde_json::to_vec(&Manifest::new(config, described)).step("write the manifest")?)
    }

    /// What the archive says of one layer.
    fn layer(&self, id: &str) -> Result<Layer> {
        let name = format!("{id}/json");
        let bytes = self.read(&name, CONFIG_LIMIT)?.ok_or_else(|| refuse(format!("the file {name} is missing")))?;
        serde_json::from_slice(&bytes).map_err(|error| refuse(format!("{name} is malformed: {error}")))
    }

    /// The digest of a layer's archive without compression.
    fn diff_id(&self, name: &str) -> Result<Digest> {
        let digest = self.find(name).ok_or_else(|| refuse(format!("the file {name} is missing")))?;
        let read = |error| Error::of_read(error, "read the layer");
        let (_, plain) = decompress(self.open(&digest)?).map_err(read)?;
        let mut plain = Hashing::new(plain);
        std::io::copy(&mut plain, &mut std::io::sink()).map_err(read)?;
        Ok(plain.finish().0)
    }
}
