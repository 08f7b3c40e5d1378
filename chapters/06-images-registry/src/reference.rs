//! The name of an image: `[registry[:port]/]path[:tag][@digest]`.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unionfs::Digest;

use crate::error::Error;

/// A valid image name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// `docker.io`, `localhost:5000`, `ghcr.io`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository within the registry: `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, when one was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, when one was written.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Adds the tag `latest` when there is neither a tag nor a digest.
    #[must_use]
    pub fn or_latest(self) -> Self {
        todo!()
    }

    /// Only the repository, without tag and digest.
    #[must_use]
    pub fn repository(&self) -> Self {
        todo!()
    }

    /// The same repository with this tag and no digest. The tag must be valid.
    pub fn with_tag(&self, tag: &str) -> Result<Self, Error> {
        let _ = tag;
        todo!()
    }

    /// The same repository with this digest and no tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        let _ = digest;
        todo!()
    }

    /// As people write it: without `docker.io/` and `library/`.
    pub fn familiar(&self) -> String {
        todo!()
    }

    /// The familiar repository without tag and digest: `busybox`, `localhost:5000/app`.
    pub fn familiar_name(&self) -> String {
        todo!()
    }
}

/// The full form: `docker.io/library/busybox:latest`.
impl Display for Reference {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(_: &str) -> Result<Self, Error> {
        todo!()
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}
