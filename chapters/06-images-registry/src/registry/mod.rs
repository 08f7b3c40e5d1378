//! The registry client (OCI distribution specification, spec.md).
//!
//! ```text
//! client                                         registry                      token service
//!   GET /v2/library/busybox/manifests/latest ──────▶
//!   ◀── 401  WWW-Authenticate: Bearer realm="https://auth…",service=…,scope=…
//!   GET https://auth…?service=…&scope=… ─────────────────────────────────────────▶
//!   ◀──────────────────────────────────────────────────────────────── {"token": …}
//!   GET …/manifests/latest  Authorization: Bearer … ▶
//!   ◀── an index: one manifest for each platform
//!   GET …/manifests/sha256:… ──────────────────────▶   the manifest for this machine
//!   GET …/blobs/sha256:… ──────────────────────────▶   configuration, layers; often a redirect to another host
//! ```
//!
//! - `endpoint.rs`: where a registry is, and how it is spoken to: HTTPS, or HTTP where that is allowed.
//! - `auth.rs`: the challenge and the token.
//! - `transport.rs`: one request: retries and redirects.
//! - `client.rs`: one repository: its documents and blobs, and what its refusals mean.
//! - `body.rs`: a blob on its way, resumed when the connection breaks.
//! - `pull.rs`: from a name to an image in the store; `push.rs`: the way back.

mod auth;
mod body;
mod client;
mod endpoint;
mod pull;
mod push;
mod transport;

pub use pull::{find_or_pull, pull};
pub use push::push;

/// Which registries are reached how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryOptions {
    /// Base addresses that are asked first for images of docker.io: `https://mirror.example`.
    pub mirrors: Vec<String>,
    /// Registries (`HOST[:PORT]`) that may be reached over plain HTTP or with a certificate nobody vouches for. Those
    /// on loopback always may.
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
