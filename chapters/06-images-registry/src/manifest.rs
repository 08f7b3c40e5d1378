//! The documents that tie an image together (OCI image specification, descriptor.md, manifest.md, image-index.md), and
//! Docker's older names for the same.
//!
//! ```text
//! index ─▶ manifest (one for each platform) ─▶ config
//!                                            ─▶ layer, layer, …
//! ```
//!
//! A manifest, for example, with everything in it that counts:
//!
//! ```json
//! {
//!   "schemaVersion": 2,
//!   "mediaType": "application/vnd.oci.image.manifest.v1+json",
//!   "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:b5b2b2c5…", "size": 7023 },
//!   "layers": [
//!     { "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": "sha256:9834876d…", "size": 32654 }
//!   ]
//! }
//! ```
//!
//! Each arrow of the picture is a descriptor: type, digest and size of another blob. Whoever has the digest of the
//! first document can check everything that follows from it; that is why `name@sha256:…` pins a whole image.

use std::collections::BTreeMap;

use namespaces::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use unionfs::Digest;

use crate::error::{Error, Kind, Result};
use crate::platform::Platform;

/// The most bytes of a manifest or index that are read.
pub const MANIFEST_LIMIT: u64 = 4 << 20;
/// The most bytes of an image's configuration that are read.
pub const CONFIG_LIMIT: u64 = 8 << 20;

/// Media type of an OCI manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an OCI configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// What Docker calls a configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// What old versions of Docker have called a configuration when they pushed one (moby issue 30083).
const CARELESS: [&str; 4] = ["", "application/octet-stream", "application/json", "text/html"];
/// What Docker calls a manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// What Docker calls an index.
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// A blob: what it is, its digest, its length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// For which machines, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// A descriptor without notes.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self { media_type: media_type.to_owned(), digest, size, platform: None, annotations: BTreeMap::new() }
    }
}

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// [`MANIFEST`] or [`DOCKER_MANIFEST`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it is when it is no image (OCI image specification 1.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers as they travel, lowest first.
    #[serde(default)]
    pub layers: Vec<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// A manifest in OCI's words.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        let media_type = Some(MANIFEST.to_owned());
        Self { schema_version: 2, media_type, artifact_type: None, config, layers, annotations: BTreeMap::new() }
    }

    /// The type of what this is, unless it is an image.
    ///
    /// Registries keep other things in the same form: charts, signatures, models. What tells them apart is the type of the
    /// configuration, because only an image's can be understood by who starts a container.
    pub fn artifact(&self) -> Option<&str> {
        let config = self.config.media_type.as_str();
        let image = matches!(config, CONFIG | DOCKER_CONFIG) || CARELESS.contains(&config);
        (!image).then(|| self.artifact_type.as_deref().unwrap_or(config))
    }

    /// Every blob that it names, the configuration first.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        [&self.config].into_iter().chain(&self.layers)
    }
}

/// A list of manifests: of one image for several platforms, or of a whole layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// [`INDEX`] or [`DOCKER_INDEX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
}

/// An index is also how one name means something on every kind of machine: the client, not the registry, picks the
/// manifest.
impl Index {
    /// The manifest for `platform`: the first with its system, processor and, if one is asked for, variant.
    pub fn choose(&self, platform: &Platform) -> Option<&Descriptor> {
        self.manifests.iter().find(|each| each.platform.as_ref().is_some_and(|offered| offered.fits(platform)))
    }

    /// `linux/amd64, linux/arm64`: what there is, for a message.
    pub fn platforms(&self) -> String {
        let mut names: Vec<_> =
            self.manifests.iter().filter_map(|each| each.platform.as_ref().map(ToString::to_string)).collect();
        names.retain(|name| name != "unknown/unknown");
        names.join(", ")
    }
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
pub enum Document {
    /// An image.
    Manifest(Manifest),
    /// A list of images.
    Index(Index),
}

impl Document {
    /// Reads a document that travelled under the media type `stated`.
    ///
    /// The same bytes must mean the same to everybody who reads them. A document that is a manifest and an index at
    /// once, or that calls itself something else than it was called on the way, is refused (CVE-2021-41190).
    pub fn read(bytes: &[u8], stated: Option<&str>) -> Result<Self> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| refuse(format!("it is not JSON: {error}")))?;
        let has = |key| value.get(key).is_some();
        let version = value.get("schemaVersion").and_then(Value::as_u64);
        if version == Some(1) || has("signatures") || has("fsLayers") {
            return Err(refuse("it is of schema 1, which has not been used since 2017").with_hint(
                "Push the image again with a current tool, for example: skopeo copy --format oci SOURCE DESTINATION.",
            ));
        }
        if version != Some(2) {
            return Err(refuse("it does not say that it is of schema 2"));
        }
        if has("manifests") && (has("layers") || has("config")) {
            return Err(refuse("it is a manifest and an index at once"));
        }
        let own = value.get("mediaType").and_then(Value::as_str);
        let kind = own.or(stated);
        if own.is_some() && stated.is_some_and(|stated| Some(stated) != own) {
            return Err(refuse(format!(
                "it came as {} and calls itself {}",
                stated.unwrap_or_default(),
                own.unwrap_or_default()
            )));
        }
        let malformed = |error| refuse(format!("it is malformed: {error}"));
        match kind {
            Some(INDEX | DOCKER_INDEX | MANIFEST | DOCKER_MANIFEST) | None => {}
            Some(other) => return Err(refuse(format!("it is of the unknown type {other}"))),
        }
        if matches!(kind, Some(INDEX | DOCKER_INDEX)) || kind.is_none() && has("manifests") {
            return serde_json::from_value(value).map(Self::Index).map_err(malformed);
        }
        serde_json::from_value(value).map(Self::Manifest).map_err(malformed)
    }
}

/// The failure of a document that is not what it should be.
fn refuse(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::Invalid, Failure::new("use the manifest", why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{DOCKER_MANIFEST, Digest, Document, INDEX, MANIFEST, Platform};

    fn read(value: &serde_json::Value, stated: Option<&str>) -> Result<Document, String> {
        Document::read(value.to_string().as_bytes(), stated).map_err(|error| error.to_string())
    }

    #[test]
    fn a_document_means_one_thing() {
        let blob = json!({"mediaType": "x", "digest": Digest::of(b""), "size": 0});
        let manifest = json!({"schemaVersion": 2, "config": blob, "layers": []});
        let index = json!({"schemaVersion": 2, "manifests": []});
        assert!(matches!(read(&manifest, None), Ok(Document::Manifest(_))));
        assert!(matches!(read(&manifest, Some(DOCKER_MANIFEST)), Ok(Document::Manifest(_))));
        assert!(matches!(read(&index, None), Ok(Document::Index(_))));
        let mut both = manifest.clone();
        both["manifests"] = json!([]);
        let mut lying = index.clone();
        lying["mediaType"] = json!(INDEX);
        let bad_digest =
            json!({"schemaVersion": 2, "config": {"mediaType": "x", "digest": "sha256:../../etc", "size": 0}});
        let said = [
            read(&both, None),
            read(&lying, Some(MANIFEST)),
            read(&index, Some(MANIFEST)),
            read(&json!({"schemaVersion": 1, "fsLayers": []}), None),
            read(&bad_digest, None),
            read(&json!([]), None),
            read(&manifest, Some("text/html")),
        ];
        let said: Vec<_> = said.into_iter().map(|each| each.unwrap_err()).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        cannot use the manifest: it is a manifest and an index at once
        cannot use the manifest: it came as application/vnd.oci.image.manifest.v1+json and calls itself application/vnd.oci.image.index.v1+json
        cannot use the manifest: it is malformed: missing field `config`
        cannot use the manifest: it is of schema 1, which has not been used since 2017
        cannot use the manifest: it is malformed: cannot read the digest ../../etc: a sha256 digest has 64 hexadecimal digits
        cannot use the manifest: it does not say that it is of schema 2
        cannot use the manifest: it is of the unknown type text/html
        ");
    }

    #[test]
    fn the_platform_is_found() {
        let entry = |architecture: &str, text: &[u8]| {
            json!({"mediaType": MANIFEST, "digest": Digest::of(text), "size": 1,
                   "platform": {"os": "linux", "architecture": architecture}})
        };
        let manifests = [entry("arm64", b"a"), entry("amd64", b"b"), entry("unknown", b"c")];
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        let Ok(Document::Index(index)) = read(&index, None) else { panic!() };
        let amd64: Platform = "linux/amd64".parse().unwrap();
        assert_eq!(index.choose(&amd64).unwrap().digest, Digest::of(b"b"));
        assert_eq!(index.choose(&Platform { architecture: "s390x".into(), ..amd64 }), None);
    }
}
