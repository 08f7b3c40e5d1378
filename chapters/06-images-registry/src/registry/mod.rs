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
//! Read the files in this order:
//!
//! - `endpoint.rs`: where a registry is, and how it is spoken to: HTTPS, or HTTP where that is allowed; `trust.rs`: whose
//!   certificates count.
//! - `auth.rs`: the challenge; `token.rs`: what answers it; `login.rs`: whether a password is right.
//! - `transport.rs`: one request: retries and redirects.
//! - `client.rs`: one repository: its documents and blobs; `refusal.rs`: what its refusals mean.
//! - `body.rs`: a blob on its way, resumed when the connection breaks.
//! - `pull.rs`: from a name to an image in the store, `artifact.rs` to what is none; `push.rs` and `upload.rs`: the way back.
//! - `explain.rs`: all of it as lines, for who wants to see.
//! - `look.rs`: what a registry says of a name, without fetching it.

mod artifact;
mod auth;
mod body;
mod client;
mod endpoint;
mod explain;
mod login;
mod look;
mod pull;
mod push;
mod refusal;
mod token;
mod transport;
mod trust;
mod upload;

use std::path::PathBuf;

pub use login::{login, registry_of};
pub use look::{Remote, look_up, tags};
pub use pull::{find_or_pull, pull, pull_for};
pub use push::push;

/// Which registries are reached how.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// What is asked first: `https://mirror.example` for images of docker.io, `ghcr.io=https://mirror.example` for those
    /// of another registry.
    pub mirrors: Vec<String>,
    /// Registries (`HOST[:PORT]`) that may be reached over plain HTTP or with a certificate nobody vouches for. Those
    /// on loopback always may.
    pub insecure: Vec<String>,
    /// Directories with certificates: `DIR/HOST[:PORT]/*.crt` vouch for that registry, `*.cert` with `*.key` are ours.
    pub certificates: Vec<PathBuf>,
    /// Is told every request and every answer, a line each: what goes over the line, passwords and all but the beginning of
    /// tokens left out.
    pub explain: Option<fn(&str)>,
}

/// Who we are to a registry.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password or access token.
    pub password: String,
    /// What a token service gave out at a login, to be shown instead of the password: OAuth's refresh token.
    pub identity_token: String,
    /// A token for the registry itself, sent as it is.
    pub registry_token: String,
}

impl Credentials {
    /// A user and a password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into(), ..Self::default() }
    }
}

/// Never prints a secret (CVE-2019-13509).
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}
