//! The registry client (OCI distribution specification).

use crate::error::Result;
use crate::image::{Image, Progress};
use crate::reference::Reference;
use crate::store::Store;

/// Which registries are reached how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryOptions {
    /// Base addresses that are asked first for images of docker.io: `https://mirror.example`.
    pub mirrors: Vec<String>,
    /// Registries (`HOST[:PORT]`) that may be reached over plain HTTP or with a certificate nobody vouches for. Those on
    /// loopback always may.
    pub insecure: Vec<String>,
}

/// Who we are to a registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password or access token.
    pub password: String,
}

/// Never prints the password.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Fetches an image from its registry into the store and gives it its name.
pub fn pull(
    store: &Store,
    name: &Reference,
    credentials: Option<&Credentials>,
    options: &RegistryOptions,
    progress: Progress<'_>,
) -> Result<Image> {
    let _ = (store, name, credentials, options, progress);
    todo!()
}
