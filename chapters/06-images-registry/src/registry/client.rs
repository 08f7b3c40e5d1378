//! One repository of a registry: its documents and blobs, who we are to it, and what its refusals mean.
//!
//! Every answer is a stranger's: documents have a limit in bytes, digests are computed here and compared, and a
//! registry's words lose their control characters before they come near a terminal.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use namespaces::{Context, Failure};
use serde::Deserialize;
use unionfs::Digest;
use ureq::http::{HeaderMap, Method, Response, StatusCode};

use super::Credentials;
use super::auth::{Challenge, Token, basic};
use super::body::Body;
use super::endpoint::{Endpoint, unreachable};
use super::transport::{ATTEMPTS, Ask, origin};
use crate::error::{Error, Kind, Result};
use crate::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, INDEX, MANIFEST, MANIFEST_LIMIT};
use crate::reference::Reference;

/// The most bytes of an error message or a token that are read.
const MESSAGE: u64 = 1 << 20;

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
    /// The `Authorization` header of the last challenge that was answered.
    authorization: Mutex<Option<String>>,
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
        Self { endpoint, name, credentials, action, authorization: Mutex::default() }
    }

    /// The manifest or index `reference`, a tag or a digest.
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
            let failure =
                Failure::new("accept the manifest", format!("its content has the digest {digest}")).on(expected);
            return Err(Error::new(Kind::Invalid, failure)
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

    /// The content of a blob.
    pub(super) fn blob(&'a self, blob: &Descriptor) -> Result<Body<'a>> {
        Body::open(self, blob.digest, blob.size)
    }

    /// A small blob whole, its digest verified.
    pub(super) fn small_blob(&'a self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let step = "fetch the blob";
        self.blob(blob)?.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Error::of_read(error, step))?;
        if bytes.len() as u64 > limit || Digest::of(&bytes) != blob.digest {
            let failure = Failure::new("accept the blob", format!("its content has the digest {}", Digest::of(&bytes)));
            return Err(Error::new(Kind::Invalid, failure.on(blob.digest))
                .with_hint("What arrived is not what was announced: it was damaged or changed on the way."));
        }
        Ok(bytes)
    }

    /// A GET below the repository's address.
    pub(super) fn get(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Response<ureq::Body>> {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        self.send(&Ask { method: Method::GET, url: self.url(path), headers, body: None })
    }

    /// The address of something in the repository.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/v2/{}/{path}", self.endpoint.base, self.name.path())
    }

    /// Answers the challenge of a 401.
    pub(super) fn authorize(&self, response: &mut Response<ureq::Body>) -> Result<()> {
        let headers = response.headers().get_all("www-authenticate");
        let challenges: Vec<_> =
            headers.iter().filter_map(|value| value.to_str().ok()).flat_map(Challenge::parse).collect();
        let find = |scheme| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let scope = format!("repository:{}:{}", self.name.path(), self.action.scope());
        let header = match (find("bearer").and_then(|bearer| bearer.token_url(&scope)), find("basic"), self.credentials)
        {
            (Some(url), _, _) => self.token(&url)?,
            (None, Some(_), Some(credentials)) => {
                self.endpoint.allow(&self.endpoint.base)?;
                basic(credentials)
            }
            _ => return Err(self.refusal(response)),
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(header);
        Ok(())
    }

    /// Fetches a token. The realm is another host, and the registry has named it: the password goes there because that
    /// is how the protocol works, but never unencrypted.
    fn token(&self, url: &str) -> Result<String> {
        self.endpoint.allow(url)?;
        let mut request = self.endpoint.agent.get(url);
        if let Some(credentials) = self.credentials {
            request = request.header("authorization", basic(credentials));
        }
        let mut response = request.call().map_err(|error| unreachable(origin(url), &error))?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(&mut response));
        }
        let bytes = read(&mut response, MESSAGE)?;
        let token: Option<Token> = serde_json::from_slice(&bytes).ok();
        token.and_then(|token| token.header()).ok_or_else(|| {
            let failure = Failure::new("use the answer of the token service", "it has no token").on(origin(url));
            Error::new(Kind::Unavailable, failure)
        })
    }

    /// What to send, once a challenge was answered.
    pub(super) fn authorization(&self) -> Option<String> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What an answer other than "here it is" means, in docker's words where it has some.
    /// A registry says 401 or 403 both for "you may not" and for "there is no such repository": it does not want to
    /// tell strangers which names exist. So the message has to say both.
    pub(super) fn refusal(&self, response: &mut Response<ureq::Body>) -> Error {
        let status = response.status();
        let said = said(&read(response, MESSAGE).unwrap_or_default());
        let name = self.name.familiar();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let said = said.unwrap_or_else(|| "denied: requested access to the resource is denied".to_owned());
                let words = match self.action {
                    Action::Pull => format!(
                        "pull access denied for {}, repository does not exist or may require 'docker login': {said}",
                        self.name.familiar_name()
                    ),
                    Action::Push => said,
                };
                Error::worded(Kind::Denied, words)
                    .with_hint("Is the name right? If the repository is private, log in first: docker login.")
            }
            StatusCode::NOT_FOUND if self.action == Action::Pull => {
                let said = said.unwrap_or_else(|| "manifest unknown: manifest unknown".to_owned());
                Error::worded(Kind::NotFound, format!("manifest for {name} not found: {said}"))
                    .with_hint("Is the tag right? The registry has nothing of this name.")
            }
            _ => {
                let why = said.map_or_else(|| status.to_string(), |said| format!("{status}: {said}"));
                let failure = Failure::new(self.action.step(), why).on(name);
                Error::new(Kind::Unavailable, failure)
                    .with_hint("The registry is in trouble, or busy. Try again later.")
            }
        }
    }
}

/// The body of a small answer. One that is longer than `limit` bytes is refused (CVE-2023-25153).
fn read(response: &mut Response<ureq::Body>, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let step = "read the answer of the registry";
    response
        .body_mut()
        .as_reader()
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .step(step)
        .map_err(|failure| Error::new(Kind::Unavailable, failure))?;
    if bytes.len() as u64 > limit {
        let failure = Failure::new(step, format!("it has more than {limit} bytes"));
        return Err(Error::new(Kind::Invalid, failure));
    }
    Ok(bytes)
}

/// The first error of a registry's message, as docker shows it: `manifest unknown: manifest unknown`.
/// (distribution specification, "Error Codes".) The text is cut at 500 letters, and control characters are left out.
fn said(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        code: String,
        #[serde(default)]
        message: String,
    }
    let said: Said = serde_json::from_slice(bytes).ok()?;
    let first = said.errors.into_iter().next()?;
    let text = format!("{}: {}", first.code.to_lowercase().replace('_', " "), first.message);
    // A stranger's words, on our user's terminal.
    Some(text.chars().filter(|letter| !letter.is_control()).take(500).collect())
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn what_the_registry_says() {
        let text = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown\u001b[31m","detail":{}}]}"#;
        assert_eq!(said(text).unwrap(), "manifest unknown: manifest unknown[31m");
        assert_eq!(said(b"<html>"), None);
    }
}
