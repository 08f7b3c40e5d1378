//! An image as the store knows it, and the messages of those who bring one.
//!
//! What docker tells while it pulls, layer by layer, under the first digits of the layer's digest:
//!
//! | status                                   | means                                              |
//! |------------------------------------------|----------------------------------------------------|
//! | `Pulling fs layer`                       | it is on the list                                  |
//! | `Waiting`                                | others are being fetched first                     |
//! | `Downloading`                            | with bytes: for a progress bar                     |
//! | `Verifying Checksum`, `Download complete`| all bytes are here, and they are the right ones    |
//! | `Extracting`, `Pull complete`            | it gets its name in the layer directory            |
//! | `Already exists`                         | nothing had to be fetched                          |

use std::fmt::{self, Display};

use namespaces::Failure;
use unionfs::Digest;

use crate::config::ImageConfig;
use crate::error::{Error, Kind, Result};
use crate::manifest::Descriptor;
use crate::platform::Platform;
use crate::reference::Reference;

/// One image.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Digest of its configuration; of its manifest when it is an artifact, since many artifacts have the same empty
    /// configuration.
    pub id: Digest,
    /// What to run, and which layers.
    pub config: ImageConfig,
    /// The manifest that lists its blobs.
    pub manifest: Descriptor,
    /// What it is when it is no image: `application/vnd.cncf.helm.config.v1+json`.
    pub artifact: Option<String>,
    /// Chain ids of its layers, lowest first.
    pub layers: Vec<Digest>,
    /// Bytes of the files in all its layers; of an artifact, of its blobs.
    pub size: u64,
    /// Bytes of its manifest, configuration and layers as they travel.
    pub content: u64,
    /// When it was made, RFC 3339; empty when it does not say.
    pub created: String,
    /// Its names with a tag, sorted.
    pub repo_tags: Vec<Reference>,
    /// The names with a digest under which registries have it, sorted.
    pub repo_digests: Vec<Reference>,
}

impl Image {
    /// For which machines it is.
    pub fn platform(&self) -> Platform {
        self.config.platform()
    }

    /// Fails when there is nothing in it that could run.
    pub fn check_runnable(&self) -> Result<()> {
        let Some(kind) = &self.artifact else { return Ok(()) };
        let failure = Failure::new("run the image", format!("it is no image but an artifact of the type {kind}"));
        let name = self.repo_tags.first().map_or_else(|| self.id.short(), Reference::familiar);
        Err(Error::new(Kind::Invalid, failure.on(name))
            .with_hint("It can be pulled, pushed, saved and removed. What is in it is for the tool that made it."))
    }
}

/// One line of a list: id, bytes, names.
impl Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.repo_tags.iter().map(Reference::familiar).collect();
        write!(f, "{}  {:>12}  {}", self.id.short(), self.size, names.join(" "))
    }
}

/// A container of an image. While it is there the image cannot simply go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The image's id.
    pub image: Digest,
    /// The container's short id, for messages.
    pub container: String,
    /// Whether a process of it lives. Then not even force removes the image.
    pub running: bool,
}

/// What [`crate::Store::remove`] did, in docker's order: each becomes one line of `docker rmi`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name that is no longer known.
    Untagged(Reference),
    /// An image or a layer that is gone.
    Deleted(Digest),
}

/// As `docker rmi` prints it.
impl Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untagged(name) => write!(f, "Untagged: {}", name.familiar()),
            Self::Deleted(digest) => write!(f, "Deleted: {digest}"),
        }
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

/// As `docker pull` prints it where there is no terminal.
impl Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{id}: {}", self.status),
            None => f.write_str(&self.status),
        }
    }
}

impl Event {
    /// A message about no layer.
    pub(crate) fn plain(status: impl Into<String>) -> Self {
        Self { status: status.into(), ..Self::default() }
    }

    /// A message about a layer.
    pub(crate) fn of(id: &str, status: &str) -> Self {
        Self { id: Some(id.to_owned()), ..Self::plain(status) }
    }

    /// Bytes done, of how many.
    pub(crate) fn at(self, current: u64, total: u64) -> Self {
        Self { current: Some(current), total: Some(total), ..self }
    }
}
