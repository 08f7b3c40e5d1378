//! A request as a value: method, path, query, body.

use std::fmt::Write as _;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use serde::Serialize;

use super::body::{self, Body, Upload};
use crate::error::{Error, Result};

/// What is asked of the daemon. Everything but an upload can be sent more than once.
#[derive(Debug)]
pub(crate) struct Request {
    method: Method,
    path: String,
    query: String,
    payload: Payload,
    headers: Vec<(&'static str, String)>,
    upgrade: bool,
}

#[derive(Debug)]
enum Payload {
    Nothing,
    Json(Bytes),
    /// Taken when it is sent.
    Upload(Option<Upload>),
}

impl Request {
    /// `GET path`.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// `HEAD path`.
    pub(crate) fn head(path: impl Into<String>) -> Self {
        Self::new(Method::HEAD, path)
    }

    /// `PUT path`.
    pub(crate) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// `POST path`.
    pub(crate) fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// `DELETE path`.
    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: String::new(),
            payload: Payload::Nothing,
            headers: Vec::new(),
            upgrade: false,
        }
    }

    /// The path without version and query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Adds `name=value` to the query.
    #[must_use]
    pub(crate) fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let joint = if self.query.is_empty() { '?' } else { '&' };
        let _ = write!(self.query, "{joint}{name}={}", escape(value.as_ref()));
        self
    }

    /// Adds `name=1` when `value` holds.
    #[must_use]
    pub(crate) fn flag(self, name: &str, value: bool) -> Self {
        if value { self.query(name, "1") } else { self }
    }

    /// Adds `name=value` when there is one.
    #[must_use]
    pub(crate) fn maybe(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// Sends `body` along as JSON.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self> {
        let bytes =
            serde_json::to_vec(body).map_err(|error| Error::new(format!("cannot write the request: {error}")))?;
        self.payload = Payload::Json(bytes.into());
        Ok(self)
    }

    /// Sends the bytes of a file or of standard input along.
    #[must_use]
    pub(crate) fn upload(mut self, upload: Upload) -> Self {
        self.payload = Payload::Upload(Some(upload));
        self
    }

    /// Adds a header when there is something to say in it.
    #[must_use]
    pub(crate) fn header(mut self, name: &'static str, value: Option<String>) -> Self {
        self.headers.extend(value.map(|value| (name, value)));
        self
    }

    /// Asks to take over the connection.
    #[must_use]
    pub(crate) fn upgrade(mut self) -> Self {
        self.upgrade = true;
        self
    }

    /// The request in the words of HTTP, under the given version of the API, with `headers` that the user wants in each.
    pub(crate) fn http(&mut self, version: (u32, u32), headers: &[(String, String)]) -> Result<hyper::Request<Body>> {
        let uri = format!("/v{}.{}{}{}", version.0, version.1, self.path, self.query);
        let mut http = hyper::Request::builder().method(self.method.clone()).uri(&uri).header(HOST, "docker");
        for (name, value) in headers {
            http = http.header(name, value);
        }
        for (name, value) in &self.headers {
            http = http.header(*name, value);
        }
        if self.upgrade {
            http = http.header(CONNECTION, "Upgrade").header(UPGRADE, "tcp");
        }
        let body = match &mut self.payload {
            Payload::Nothing => body::whole(Bytes::new()),
            Payload::Json(bytes) => {
                http = http.header(CONTENT_TYPE, "application/json");
                body::whole(bytes.clone())
            }
            Payload::Upload(upload) => {
                http = http.header(CONTENT_TYPE, "application/x-tar");
                let upload = upload.take().ok_or_else(|| Error::new(format!("cannot send {uri} twice")))?;
                upload.into_body()
            }
        };
        http.body(body).map_err(|error| Error::new(format!("cannot ask for {uri}: {error}")))
    }
}

/// A path segment made from a name that the user gave: everything but letters, digits and `-._~:@` escaped (RFC 3986).
/// The slashes of an image's name stay, as docker sends them.
pub(crate) fn segment(name: &str) -> String {
    percent(name, b"-._~/:@")
}

/// A query value, escaped.
fn escape(value: &str) -> String {
    percent(value, b"-._~")
}

fn percent(text: &str, plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(mut request: Request) -> String {
        request.http((1, 51), &[]).unwrap().uri().to_string()
    }

    #[test]
    fn the_version_comes_first_and_the_query_is_escaped() {
        let request =
            Request::get("/containers/json").flag("all", true).flag("size", false).query("filters", r#"{"a":["b c"]}"#);
        assert_eq!(uri(request), "/v1.51/containers/json?all=1&filters=%7B%22a%22%3A%5B%22b%20c%22%5D%7D");
    }

    #[test]
    fn names_cannot_leave_their_segment() {
        assert_eq!(segment("a?b#c d"), "a%3Fb%23c%20d");
        assert_eq!(segment("localhost:5000/a/b:1@sha256:ff"), "localhost:5000/a/b:1@sha256:ff");
    }
}
