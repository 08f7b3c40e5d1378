//! One repository of a registry: requests, retries, redirects, and what the answers mean.
//!
//! | answer             | what we do                                                                      |
//! |--------------------|---------------------------------------------------------------------------------|
//! | 200, 206           | use it                                                                          |
//! | 301 … 308          | follow, at most five times; authorization goes along only to the registry itself |
//! | 401                | answer the challenge and ask again, once                                        |
//! | 403, 401 again     | `pull access denied`                                                            |
//! | 404                | `manifest for … not found`                                                      |
//! | 408, 429, 500 … 504 | wait (as long as `Retry-After` says) and ask again, five times in all           |
//! | no answer          | the same, unless nobody listens or the name is unknown                          |

use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use namespaces::{Context, Failure};
use serde::Deserialize;
use unionfs::Digest;
use ureq::http::{HeaderMap, Response, StatusCode};

use super::Credentials;
use super::auth::{Challenge, Token, basic};
use super::body::Body;
use super::endpoint::{Endpoint, is_lookup, unreachable};
use crate::error::{Error, Kind, Result};
use crate::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, INDEX, MANIFEST, MANIFEST_LIMIT};
use crate::reference::Reference;

/// Attempts for one request, the first one counted.
const ATTEMPTS: u32 = 5;
/// Redirects that are followed.
const REDIRECTS: u32 = 5;
/// The most bytes of an error message or a token that are read.
const MESSAGE: u64 = 1 << 20;

/// A repository.
#[derive(Debug)]
pub(super) struct Client<'a> {
    /// How it is reached.
    endpoint: Endpoint,
    /// Which one, and what for: messages name it as the user wrote it.
    name: &'a Reference,
    /// Who we are; without, we are nobody, which is enough for what is public.
    credentials: Option<&'a Credentials>,
    /// The `Authorization` header of the last challenge that was answered.
    authorization: Mutex<Option<String>>,
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
    pub(super) fn new(endpoint: Endpoint, name: &'a Reference, credentials: Option<&'a Credentials>) -> Self {
        Self { endpoint, name, credentials, authorization: Mutex::default() }
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

    /// Sends a GET below the repository's address: with authorization, again after a while where that may help, and
    /// after redirects. The answer is any status but 401 and those that ask to come again.
    /// Two counters run here. A 401 is answered once: a second one means that we may not, or that the token is no good.
    /// Everything temporary is tried again after 0.5, 1, 2 and 4 seconds, or after as many as the registry asks for.
    pub(super) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<Response<ureq::Body>> {
        let url = format!("{}/v2/{}/{path}", self.endpoint.base, self.name.path());
        let mut refreshed = false;
        let mut attempt = 1;
        loop {
            let answer = self.follow(&url, headers);
            let pause = Duration::from_millis(250 << attempt);
            match answer {
                Ok(mut response) if response.status() == StatusCode::UNAUTHORIZED => {
                    if refreshed {
                        return Err(self.refusal(&mut response));
                    }
                    self.authorize(&mut response)?;
                    refreshed = true;
                }
                Ok(response) if attempt < ATTEMPTS && is_temporary(response.status()) => {
                    thread::sleep(retry_after(&response).unwrap_or(pause));
                    attempt += 1;
                }
                Err(Broken::Temporary(_)) if attempt < ATTEMPTS => {
                    thread::sleep(pause);
                    attempt += 1;
                }
                Ok(response) => return Ok(response),
                Err(Broken::Temporary(error) | Broken::Final(error)) => return Err(error),
            }
        }
    }

    /// One attempt. Credentials go to the registry itself and to nobody it redirects to (CVE-2020-15157).
    fn follow(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response<ureq::Body>, Broken> {
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS {
            let mut request = self.endpoint.agent.get(&url);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let ours = url.strip_prefix(&self.endpoint.base).is_some_and(|rest| rest.starts_with('/'));
            if ours && let Some(authorization) = self.authorization() {
                request = request.header("authorization", authorization);
            }
            let response = request.call().map_err(|error| Broken::of(&url, &error))?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            let location = location.ok_or_else(|| self.lost("the registry redirects to nowhere"))?;
            url = join(&url, location);
            self.endpoint.allow(&url).map_err(Broken::Final)?;
        }
        Err(self.lost("the registry redirects too often"))
    }

    /// A redirect that leads nowhere.
    fn lost(&self, why: &str) -> Broken {
        Broken::Final(Error::new(
            Kind::Unavailable,
            Failure::new("fetch from the registry", why).on(self.name.familiar()),
        ))
    }

    /// Answers the challenge of a 401.
    fn authorize(&self, response: &mut Response<ureq::Body>) -> Result<()> {
        let headers = response.headers().get_all("www-authenticate");
        let challenges: Vec<_> =
            headers.iter().filter_map(|value| value.to_str().ok()).flat_map(Challenge::parse).collect();
        let find = |scheme| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let scope = format!("repository:{}:pull", self.name.path());
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
    fn authorization(&self) -> Option<String> {
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
                let words = format!(
                    "pull access denied for {}, repository does not exist or may require 'docker login': {said}",
                    self.name.familiar_name()
                );
                Error::worded(Kind::Denied, words)
                    .with_hint("Is the name right? If the repository is private, log in first: docker login.")
            }
            StatusCode::NOT_FOUND => {
                let said = said.unwrap_or_else(|| "manifest unknown: manifest unknown".to_owned());
                Error::worded(Kind::NotFound, format!("manifest for {name} not found: {said}"))
                    .with_hint("Is the tag right? The registry has nothing of this name.")
            }
            _ => {
                let why = said.map_or_else(|| status.to_string(), |said| format!("{status}: {said}"));
                let failure = Failure::new("fetch from the registry", why).on(name);
                Error::new(Kind::Unavailable, failure)
                    .with_hint("The registry is in trouble, or busy. Try again later.")
            }
        }
    }
}

/// A request without an answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// It may work the next time.
    Temporary(Error),
    /// It will not.
    Final(Error),
}

impl Broken {
    /// What kind of breakage it is. A refused connection or an unknown name does not get better by asking again, and
    /// the user is waiting.
    fn of(url: &str, error: &ureq::Error) -> Self {
        let failure = unreachable(origin(url).split_once("://").map_or(url, |(_, host)| host), error);
        match error {
            _ if is_lookup(error) => Self::Final(failure),
            ureq::Error::Io(inner) if inner.kind() != std::io::ErrorKind::ConnectionRefused => Self::Temporary(failure),
            ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Self::Temporary(failure),
            _ => Self::Final(failure),
        }
    }
}

/// Whether the same request may be answered differently in a moment.
fn is_temporary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long the registry asks us to wait, at most half a minute.
fn retry_after(response: &Response<ureq::Body>) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.min(30)))
}

/// `https://host:port` of an address.
/// Scheme, host and port: what the web calls an origin (RFC 6454). Two addresses with the same origin are the same
/// server, as far as a password is concerned; two hosts of one domain are not.
fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(start..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| start + at);
    url.get(..end).unwrap_or(url)
}

/// The address that `location` means in an answer from `url` (RFC 3986 section 4.2).
/// A registry may answer with a path alone, or leave out the scheme.
fn join(url: &str, location: &str) -> String {
    if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        let scheme = url.split_once("://").map_or("https", |(scheme, _)| scheme);
        format!("{scheme}://{rest}")
    } else {
        format!("{}/{}", origin(url), location.trim_start_matches('/'))
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
    use super::{join, origin, said};

    #[test]
    fn addresses() {
        assert_eq!(origin("https://a.b:5000/v2/x?y"), "https://a.b:5000");
        assert_eq!(origin("http://a?x=/"), "http://a");
        assert_eq!(join("https://a/v2/x", "/other?q=1"), "https://a/other?q=1");
        assert_eq!(join("https://a/v2/x", "https://b/c"), "https://b/c");
        assert_eq!(join("http://a/v2/x", "//b/c"), "http://b/c");
        // User information does not make another host ours.
        assert_ne!(origin("https://a@evil/"), "https://a");
    }

    #[test]
    fn what_the_registry_says() {
        let text = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown\u001b[31m","detail":{}}]}"#;
        assert_eq!(said(text).unwrap(), "manifest unknown: manifest unknown[31m");
        assert_eq!(said(b"<html>"), None);
    }
}
