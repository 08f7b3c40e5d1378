//! The Docker Engine API over a socket: requests as values, one connection kept for as long as a command lasts.
//!
//! - `endpoint.rs`: where the daemon is.
//! - `socket.rs`: the way there; `tls.rs`: encrypted, between two that know each other.
//! - `request.rs`: what is asked.
//! - `body.rs`: what is sent along and what comes back.
//! - `hijack.rs`: a connection that stops being HTTP (attach, exec).
//!
//! There is no greeting: the first request goes out at once under the newest version we know. A daemon that is older says
//! so with 400, and the request is sent again under its version.

mod body;
mod endpoint;
mod hijack;
mod request;
mod socket;
mod tls;

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio_rustls::TlsConnector;

pub(crate) use body::{Lines, Upload};
pub(crate) use endpoint::Endpoint;
pub(crate) use hijack::Hijacked;
pub(crate) use request::{Request, segment};
pub(crate) use socket::Socket;
pub(crate) use tls::{Flags as TlsFlags, Tls};

use crate::context::Contexts;
use crate::daemon;
use crate::error::{Error, Result, reason};
use crate::login::Logins;

/// The newest version of the API that we speak.
const NEWEST: (u32, u32) = (1, 51);

/// What every request is sent by. Not shared between threads: the program has one.
pub(crate) struct Client {
    endpoint: Endpoint,
    tls: Option<TlsConnector>,
    version: Cell<(u32, u32)>,
    idle: RefCell<Vec<SendRequest<body::Body>>>,
    /// What the user's settings add to every request.
    headers: Vec<(String, String)>,
    /// Where the user's passwords for registries are.
    pub(crate) logins: Logins,
    /// Which daemons have a name.
    pub(crate) contexts: Contexts,
}

impl Client {
    /// A client that connects when the first request is made.
    pub(crate) fn new(endpoint: Endpoint, tls: Option<TlsConnector>, logins: Logins, contexts: Contexts) -> Self {
        let headers = contexts.store.settings("HttpHeaders").unwrap_or_default();
        Self { endpoint, tls, version: Cell::new(NEWEST), idle: RefCell::new(Vec::new()), headers, logins, contexts }
    }

    /// Where the daemon is.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A connection without anything said on it.
    pub(crate) async fn plain(&self) -> Result<Socket> {
        socket::open(&self.endpoint, self.tls.as_ref()).await.map_err(|error| self.unreachable(&error))
    }

    /// The version that requests are made under, as far as is known by now.
    pub(crate) fn version(&self) -> (u32, u32) {
        self.version.get()
    }

    /// Sends a request and reads the answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T> {
        let what = request.path().to_owned();
        let bytes = self.bytes(request).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(format!("cannot understand the daemon's answer to {what}: {error}"))
                .hint("Is the program behind the socket a container engine?")
        })
    }

    /// Sends a request and returns the bytes of the answer.
    pub(crate) async fn bytes(&self, request: Request) -> Result<Bytes> {
        let (sender, response) = self.exchange(request).await?;
        let bytes = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
        self.idle.borrow_mut().push(sender);
        Ok(bytes)
    }

    /// Sends a request whose answer is only yes or no.
    pub(crate) async fn send(&self, request: Request) -> Result<()> {
        self.bytes(request).await.map(drop)
    }

    /// Sends a request whose answer comes bit by bit. Returns when the answer's head is there.
    pub(crate) async fn stream(&self, request: Request) -> Result<Incoming> {
        Ok(self.exchange(request).await?.1.into_body())
    }

    /// The same with the answer's head, for what is said in it.
    pub(crate) async fn response(&self, request: Request) -> Result<Response<Incoming>> {
        Ok(self.exchange(request).await?.1)
    }

    /// Sends a request and takes over the connection as a stream of bytes both ways.
    pub(crate) async fn hijack(&self, request: Request) -> Result<Hijacked> {
        let (_, response) = self.exchange(request.upgrade()).await?;
        Hijacked::take(response).await
    }

    /// Opens connections now that will be needed soon, while something else is waited for. Never starts a daemon.
    pub(crate) async fn warm(&self, connections: usize) {
        for _ in 0..connections {
            let Ok(sender) = self.dial().await else { return };
            self.idle.borrow_mut().push(sender);
        }
    }

    /// Learns whether the daemon is older than we are, before a request that cannot be sent twice.
    pub(crate) async fn negotiate(&self) -> Result<()> {
        self.send(Request::get("/_ping")).await
    }

    /// Sends, and sends again when the daemon is older than we are. A refusal is an error.
    async fn exchange(&self, mut request: Request) -> Result<(SendRequest<body::Body>, Response<Incoming>)> {
        loop {
            let version = self.version.get();
            let (sender, response) = self.attempt(&mut request, version).await?;
            let status = response.status();
            if status.is_success() || matches!(status.as_u16(), 101 | 304) {
                return Ok((sender, response));
            }
            let bytes = response.into_body().collect().await.map_err(|error| broken(&error))?.to_bytes();
            self.idle.borrow_mut().push(sender);
            let error = Error::refused(status.as_u16(), &body::message(status, &bytes));
            match maximum_version(&error) {
                // Another request may have learned it meanwhile; what counts is what this one was sent under.
                Some(older) if older < version => self.version.set(older),
                _ => return Err(error),
            }
        }
    }

    /// One request on one connection. An idle connection may have been closed meanwhile; then a new one is made.
    async fn attempt(
        &self,
        request: &mut Request,
        version: (u32, u32),
    ) -> Result<(SendRequest<body::Body>, Response<Incoming>)> {
        let idle = self.idle.borrow_mut().pop();
        let mut sender = match idle {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        if sender.ready().await.is_err() {
            sender = self.connect().await?;
        }
        let response = sender.send_request(request.http(version, &self.headers)?).await;
        Ok((sender, response.map_err(|error| broken(&error))?))
    }

    /// A new connection. When the default daemon does not run and we may, it is started first.
    async fn connect(&self) -> Result<SendRequest<body::Body>> {
        let error = match self.dial().await {
            Ok(sender) => return Ok(sender),
            Err(error) => error,
        };
        let absent = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused);
        if absent && self.endpoint.is_default() {
            daemon::start(self.endpoint.path()).await?;
            return self.dial().await.map_err(|error| self.unreachable(&error));
        }
        Err(self.unreachable(&error))
    }

    async fn dial(&self) -> std::io::Result<SendRequest<body::Body>> {
        http(socket::open(&self.endpoint, self.tls.as_ref()).await?).await
    }

    /// Docker's sentence, and what to do by the kernel's reason.
    fn unreachable(&self, error: &std::io::Error) -> Error {
        if let Some(hint) = tls::hint(error) {
            return Error::new(format!("cannot agree with the daemon at {}: {}", self.endpoint, reason(error)))
                .hint(hint);
        }
        let sentence = match error.kind() {
            ErrorKind::PermissionDenied => {
                format!("permission denied while trying to connect to the Skiff daemon at {}", self.endpoint)
            }
            _ => format!("Cannot connect to the Skiff daemon at {}. Is skiffd running?", self.endpoint),
        };
        let hint = match error.kind() {
            ErrorKind::PermissionDenied => "The socket belongs to root: use sudo.".to_owned(),
            ErrorKind::NotFound => "There is no such socket. Check -H and DOCKER_HOST, or start skiffd.".to_owned(),
            ErrorKind::ConnectionRefused => "Nobody listens on the socket. Start skiffd.".to_owned(),
            _ => format!("{}.", reason(error)),
        };
        Error::new(sentence).hint(hint)
    }
}

/// The HTTP side of a connected socket. A task drives it for as long as there is something to send or receive.
async fn http(socket: Socket) -> std::io::Result<SendRequest<body::Body>> {
    let (sender, connection) = handshake(TokioIo::new(socket)).await.map_err(std::io::Error::other)?;
    tokio::spawn(async move { drop(connection.with_upgrades().await) });
    Ok(sender)
}

/// The connection ended in the middle.
pub(crate) fn broken(error: &hyper::Error) -> Error {
    use std::error::Error as _;
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    // A daemon looks at our certificate only after we take the connection for made.
    let mut causes = std::iter::successors(error.source(), |cause| (**cause).source());
    let hint = causes.find_map(|cause| tls::hint(cause.downcast_ref()?));
    let hint = hint.unwrap_or(if error.is_parse() {
        "The answer is not HTTP: if the daemon wants TLS, give --tlsverify and the certificates."
    } else {
        "The daemon's log may say why."
    });
    Error::new(format!("the connection to the daemon broke: {cause}")).hint(hint)
}

/// `… Maximum supported API version is 1.41` as (1, 41).
fn maximum_version(error: &Error) -> Option<(u32, u32)> {
    let (_, text) = error.message.split_once("Maximum supported API version is ")?;
    let (major, minor) = text.trim_end_matches('.').split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_daemon_names_its_version() {
        let text = "client version 1.51 is too new. Maximum supported API version is 1.41";
        assert_eq!(maximum_version(&Error::refused(400, text)), Some((1, 41)));
        assert_eq!(maximum_version(&Error::refused(400, "bad parameter")), None);
    }
}
