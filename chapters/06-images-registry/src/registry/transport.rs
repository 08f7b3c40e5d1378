//! One request: sent, sent again, sent elsewhere.
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
//!
//! A request that has no effect, or the same effect twice, can be sent again without a thought. Nearly all of ours are of
//! that kind: a blob that is sent twice is one blob, because its name is its content. The exception is a piece of a blob
//! (`upload.rs`): sent twice it might be there twice.

use std::io::{self, Read};
use std::thread;
use std::time::Duration;

use namespaces::Failure;
use ureq::SendBody;
use ureq::http::{Method, Request, Response, StatusCode};

use super::client::Client;
use super::endpoint::{is_lookup, unreachable};
use crate::error::{Error, Kind, Result};

/// Attempts for one request, the first one counted.
pub(super) const ATTEMPTS: u32 = 5;
/// Redirects that are followed.
const REDIRECTS: u32 = 5;

/// A request that can be sent more than once.
pub(super) struct Ask<'a> {
    /// GET, HEAD, POST, PUT or PATCH.
    pub(super) method: Method,
    /// Where to, at first.
    pub(super) url: String,
    /// Besides authorization, which is added for the registry alone.
    pub(super) headers: Vec<(&'static str, String)>,
    /// Nothing, or something that can be read again when the first attempt fails.
    pub(super) body: Option<Payload<'a>>,
    /// The repository that a blob is taken over from: we must be allowed to read there too.
    pub(super) from: Option<&'a str>,
    /// Whether it may be sent again after a failure of which we do not know how far it got.
    pub(super) repeat: bool,
}

impl Ask<'_> {
    /// A request without a body.
    pub(super) fn new(method: Method, url: String) -> Self {
        Self { method, url, headers: Vec::new(), body: None, from: None, repeat: true }
    }
}

/// What is sent along: its length in bytes, and where it is read from, each time from the beginning.
pub(super) struct Payload<'a> {
    /// In bytes; sent as `Content-Length`, since not every registry takes chunks.
    pub(super) length: u64,
    /// Opens it at its beginning.
    pub(super) open: &'a dyn Fn() -> Result<Box<dyn Read + 'a>>,
}

impl Client<'_> {
    /// Sends a request with authorization, again after a while where that may help, and after redirects. The answer is
    /// any status but 401 and those that ask to come again.
    ///
    /// Two counters run here. A 401 is answered once: a second one means that we may not, or that the token is no good.
    /// Everything temporary is tried again after 0.5, 1, 2 and 4 seconds, or after as many as the registry asks for.
    pub(super) fn send(&self, ask: &Ask<'_>) -> Result<Response<ureq::Body>> {
        let mut refreshed = false;
        let mut attempt = if ask.repeat { 1 } else { ATTEMPTS };
        loop {
            let answer = self.follow(ask);
            let pause = pause(attempt);
            match answer {
                Ok(mut response) if response.status() == StatusCode::UNAUTHORIZED => {
                    if refreshed {
                        return Err(self.refusal(&mut response));
                    }
                    self.authorize(ask.from, &mut response)?;
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
    fn follow(&self, ask: &Ask<'_>) -> Result<Response<ureq::Body>, Broken> {
        let mut url = ask.url.clone();
        for _ in 0..REDIRECTS {
            let response = self.once(ask, &url)?;
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

    /// One request to one address.
    fn once(&self, ask: &Ask<'_>, url: &str) -> Result<Response<ureq::Body>, Broken> {
        let mut request = Request::builder().method(ask.method.clone()).uri(url);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let ours = url.strip_prefix(&self.endpoint.base).is_some_and(|rest| rest.starts_with('/'));
        let authorization = self.authorization(ask.from).filter(|_| ours);
        if let Some(authorization) = &authorization {
            request = request.header("authorization", authorization);
        }
        self.endpoint.explain_request(ask.method.as_str(), url, authorization.as_deref());
        let malformed = |_| self.lost("the registry has named an address that is none");
        let agent = &self.endpoint.agent;
        let answer = match &ask.body {
            None => agent.run(request.body(()).map_err(malformed)?),
            Some(payload) => {
                let mut reader = (payload.open)().map_err(Broken::Final)?;
                let request = request.header("content-length", payload.length);
                agent.run(request.body(SendBody::from_reader(&mut reader)).map_err(malformed)?)
            }
        };
        answer.inspect(|answer| self.endpoint.explain_answer(answer)).map_err(|error| Broken::of(url, &error))
    }

    /// A redirect that leads nowhere.
    pub(super) fn lost(&self, why: &str) -> Broken {
        let failure = Failure::new(self.action.step(), why).on(self.name.familiar());
        Broken::Final(Error::new(Kind::Unavailable, failure))
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
            ureq::Error::Io(inner) if inner.kind() != io::ErrorKind::ConnectionRefused => Self::Temporary(failure),
            ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Self::Temporary(failure),
            _ => Self::Final(failure),
        }
    }
}

/// How long to wait before the next attempt: 0.5, 1, 2, 4 seconds.
pub(super) fn pause(attempt: u32) -> Duration {
    Duration::from_millis(250 << attempt.min(5))
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
pub(super) fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(start..).and_then(|rest| rest.find(['/', '?'])).map_or(url.len(), |at| start + at);
    url.get(..end).unwrap_or(url)
}

/// The address that `location` means in an answer from `url` (RFC 3986 section 4.2).
/// A registry may answer with a path alone, or leave out the scheme.
pub(super) fn join(url: &str, location: &str) -> String {
    if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        let scheme = url.split_once("://").map_or("https", |(scheme, _)| scheme);
        format!("{scheme}://{rest}")
    } else {
        format!("{}/{}", origin(url), location.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::{join, origin};

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
}
