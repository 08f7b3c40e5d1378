//! One repository of a registry: its documents and blobs, who we are to it, and what its refusals mean.
//!
//! Every answer is a stranger's: documents have a limit in bytes, digests are computed here and compared, and a
//! registry's words lose their control characters before they come near a terminal.

use std::io::Read;

use namespaces::Failure;
use unionfs::Digest;
use ureq::http::{HeaderMap, Method, Response, StatusCode};

use super::auth::{Challenge, basic};
use super::body::Body;
use super::endpoint::Endpoint;
use super::refusal::{read, refusal};
use super::token::{Headers, Wanted, fetch};
use super::transport::{ATTEMPTS, Ask, join};
use super::{Credentials, RegistryOptions};
use crate::error::{Error, Kind, Result};
use crate::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, INDEX, MANIFEST, MANIFEST_LIMIT};
use crate::reference::Reference;

/// A repository.
#[derive(Debug)]
pub(super) struct Client<'a> {
    /// How it is reached.
    pub(super) endpoint: Endpoint,
    /// Which one, and what for: messages name it as the user wrote it.
    pub(super) name: &'a Reference,
    /// Who we are; without, we are nobody, which is enough for what is public.
    credentials: Option<&'a Credentials>,
    /// What for.
    pub(super) action: Action,
    /// The answers to challenges so far.
    headers: Headers,
}

/// What a client is for. Tokens and refusals differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Reading.
    Pull,
    /// Writing.
    Push,
}

impl Action {
    /// The actions of a token's scope.
    fn scope(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }

    /// For messages.
    pub(super) fn step(self) -> &'static str {
        match self {
            Self::Pull => "fetch from the registry",
            Self::Push => "push to the registry",
        }
    }
}

/// A manifest or index as it came.
#[derive(Debug)]
pub(super) struct Fetched {
    /// Exactly what was sent: the digest is of these bytes.
    pub(super) bytes: Vec<u8>,
    /// `Content-Type`, without parameters.
    pub(super) media_type: Option<String>,
    /// Computed, not believed.
    pub(super) digest: Digest,
}

impl<'a> Client<'a> {
    /// Nobody is asked yet.
    pub(super) fn new(
        endpoint: Endpoint,
        name: &'a Reference,
        credentials: Option<&'a Credentials>,
        action: Action,
    ) -> Self {
        let credentials = credentials.filter(|_| !endpoint.mirror);
        Self { endpoint, name, credentials, action, headers: Headers::default() }
    }

    /// The first endpoint that has the name, and what it has under it. When none has, the registry's own error counts.
    pub(super) fn first(
        name: &'a Reference,
        credentials: Option<&'a Credentials>,
        options: &RegistryOptions,
    ) -> Result<(Self, Fetched)> {
        let mut failed = Error::worded(Kind::Unavailable, format!("there is no registry for {}", name.familiar()));
        for endpoint in Endpoint::all(name.domain(), options)? {
            let client = Self::new(endpoint, name, credentials, Action::Pull);
            match client.manifest(&name.wanted()) {
                Ok(fetched) => return Ok((client, fetched)),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// The manifest or index `reference`, a tag or a digest.
    ///
    /// # Errors
    /// The registry does not have it, or what came does not have the digest that was asked for or announced.
    pub(super) fn manifest(&self, reference: &str) -> Result<Fetched> {
        let accept = [INDEX, DOCKER_INDEX, MANIFEST, DOCKER_MANIFEST].join(", ");
        let (headers, bytes) = self.small(&format!("manifests/{reference}"), &accept)?;
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let media_type =
            header("content-type").map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned());
        let stated = header("docker-content-digest");
        let digest = Digest::of(&bytes);
        // Whoever asks for a digest knows what to get; a tag is what the registry says it is.
        let expected = reference.parse::<Digest>().ok().or_else(|| stated.and_then(|text| text.parse().ok()));
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            // Docker's words first: they are what people search for.
            let words =
                format!("manifest verification failed for digest {expected}: its content has the digest {digest}");
            return Err(Error::worded(Kind::Invalid, words)
                .with_hint("What arrived is not what was announced: it was damaged or changed on the way."));
        }
        Ok(Fetched { bytes, media_type, digest })
    }

    /// A document whole. When the connection breaks in the middle it is asked for again.
    fn small(&self, path: &str, accept: &str) -> Result<(HeaderMap, Vec<u8>)> {
        let mut attempt = 1;
        loop {
            let mut response = self.get(path, &[("accept", accept)])?;
            if response.status() != StatusCode::OK {
                return Err(self.refusal(&mut response));
            }
            match read(&mut response, MANIFEST_LIMIT) {
                Err(error) if error.kind() == Kind::Unavailable && attempt < ATTEMPTS => attempt += 1,
                answer => return Ok((response.headers().clone(), answer?)),
            }
        }
    }

    /// The content of a blob after its first `at` bytes. It is not verified: whoever reads it to the end does that, as with
    /// every stream that is used while it arrives.
    pub(super) fn blob(&'a self, blob: &Descriptor, at: u64) -> Result<Body<'a>> {
        Body::open(self, blob.digest, blob.size, at)
    }

    /// A small blob whole, its digest verified: the configuration of an image, which is JSON and kept in memory.
    ///
    /// # Errors
    /// It is longer than `limit` bytes, or not what its digest says.
    pub(super) fn small_blob(&'a self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let step = "fetch the blob";
        self.blob(blob, 0)?.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Error::of_read(error, step))?;
        if bytes.len() as u64 > limit || Digest::of(&bytes) != blob.digest {
            let failure = Failure::new("accept the blob", format!("its content has the digest {}", Digest::of(&bytes)));
            return Err(Error::new(Kind::Invalid, failure.on(blob.digest))
                .with_hint("What arrived is not what was announced: it was damaged or changed on the way."));
        }
        Ok(bytes)
    }

    /// A GET of an address of the registry's.
    pub(super) fn get_at(&self, url: String) -> Result<Response<ureq::Body>> {
        self.send(&Ask::new(Method::GET, url))
    }

    /// A GET below the repository's address.
    pub(super) fn get(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Response<ureq::Body>> {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.send(&Ask { headers, ..Ask::new(Method::GET, self.url(path)) })
    }

    /// The address of something in the repository.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v2/{}/{path}", self.endpoint.base, self.name.path())
    }

    /// What follows a page of a list: `Link: </v2/…>; rel="next"` (RFC 8288).
    pub(super) fn next_page(&self, url: &str, headers: &HeaderMap) -> Option<String> {
        let link = headers.get("link")?.to_str().ok()?;
        let (target, relation) = link.trim_start().strip_prefix('<')?.split_once('>')?;
        let next = join(url, target);
        // The list goes on at the registry or not at all.
        (relation.contains("next") && next.starts_with(&format!("{}/", self.endpoint.base))).then_some(next)
    }

    /// What a token has to be good for: this repository, and reading in the one that a blob is taken over from.
    fn scopes(&self, from: Option<&str>) -> Vec<String> {
        let own = format!("repository:{}:{}", self.name.path(), self.action.scope());
        [own].into_iter().chain(from.map(|path| format!("repository:{path}:pull"))).collect()
    }

    /// Answers the challenge of a 401: with a token where the registry names who gives one, with the password where it wants
    /// that. The answer is kept for what comes next.
    ///
    /// # Errors
    /// There is nothing to answer with, or it would go over a line that others can read.
    pub(super) fn authorize(&self, from: Option<&str>, response: &mut Response<ureq::Body>) -> Result<()> {
        let challenges = Challenge::all(response.headers());
        let basics = || challenges.iter().any(|challenge| challenge.scheme == "basic");
        let ours = self.scopes(from);
        let header = match (challenges.iter().find(|challenge| challenge.realm().is_some()), self.credentials) {
            (Some(bearer), credentials) => {
                let wanted = Wanted { scopes: bearer.scopes(&ours), credentials, offline: false };
                fetch(&self.endpoint, bearer, &wanted, |response| self.refusal(response))?.header().unwrap_or_default()
            }
            (None, Some(credentials)) if basics() => {
                self.endpoint.allow(&self.endpoint.base)?;
                basic(credentials)
            }
            _ => return Err(self.refusal(response)),
        };
        self.headers.set(&ours, header);
        Ok(())
    }

    /// What to send, once a challenge was answered; or at once, when we were given a token for this very registry.
    pub(super) fn authorization(&self, from: Option<&str>) -> Option<String> {
        let given = self.credentials.map(|known| &known.registry_token).filter(|token| !token.is_empty());
        self.headers.get(&self.scopes(from)).or_else(|| given.map(|token| format!("Bearer {token}")))
    }

    /// See [`refusal()`].
    pub(super) fn refusal(&self, response: &mut Response<ureq::Body>) -> Error {
        refusal(self.name, self.action, response)
    }
}

impl Fetched {
    /// The media type that the document came with, unless it says nothing.
    pub(super) fn stated(&self) -> Option<&str> {
        let plain = ["application/json", "text/plain", "application/octet-stream"];
        self.media_type.as_deref().filter(|kind| !plain.contains(kind))
    }
}
