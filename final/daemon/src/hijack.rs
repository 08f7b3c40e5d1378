//! Connections that stop being HTTP: after `attach` and `exec start` the socket carries the container's streams.
//!
//! ```text
//!   client ──── stdin ────▶ daemon (looks for detach keys) ──── stdin ────▶ monitor
//!          ◀── stdout ─────                                ◀── stdout ─────
//! ```
//!
//! The two directions end on their own: when the client has no more input, the program must still be heard
//! (`echo hi | docker run -i busybox cat`), so an end is passed on as shutdown(2) of that direction only. The whole is over
//! when the program's output ends, or when the client leaves by its detach keys.
//!
//! A client asks with `Upgrade: tcp` and gets `101 UPGRADED`. Clients from before that time send no such header and take
//! what follows `200 OK` for the stream; they get the output as the answer's body, and their input is the request's body.

use std::future::{Future, ready};
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use axum::http::{HeaderValue, Response, StatusCode};
use futures_util::{FutureExt, StreamExt, stream};
use hyper::ext::ReasonPhrase;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::detach::{Detach, Passed};
use crate::reply::typed;
use crate::stream::Stream;
use crate::sys;
use crate::versions::Version;

/// How much is read at once. As large as a pipe's default capacity would be wasted on terminals.
const PIECE: usize = 16 * 1024;

/// Name of a stream's shape: raw with a terminal, frames of stdout and stderr without. Clients older than 1.42 know one name.
pub(crate) fn content_type(tty: bool, version: Version) -> &'static str {
    if tty || version < Version(1, 42) {
        "application/vnd.docker.raw-stream"
    } else {
        "application/vnd.docker.multiplexed-stream"
    }
}

/// Answers `request` by joining its client with the stream that `container` gives, in both directions. `detach` is looked for
/// when there is one.
///
/// `container` is waited for when the client has been told that its connection is a stream now. Clients that read the head of
/// an answer through a buffer (docker-py) lose what comes in the same breath, so an exec starts only then.
pub(crate) fn join(
    request: Request,
    container: impl Future<Output = Option<UnixStream>> + Send + 'static,
    kind: &'static str,
    detach: Option<Detach>,
) -> Response<Body> {
    let upgrades = request.headers().contains_key(UPGRADE);
    let (mut parts, body) = request.into_parts();
    match parts.extensions.remove::<OnUpgrade>() {
        Some(upgrade) if upgrades => {
            tokio::spawn(async move {
                if let Err(error) = upgraded(upgrade, container, detach).await {
                    tracing::debug!("the attached client is gone: {error}");
                }
            });
            switching(kind)
        }
        _ => typed(kind, Body::from_stream(as_body(container, body))),
    }
}

/// The container's output as the body of an answer, and the request's body as its input.
fn as_body(
    container: impl Future<Output = Option<UnixStream>> + Send + 'static,
    input: Body,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send {
    let joined = container.map(|container| {
        container.map(|container| {
            let (output, to_container) = container.into_split();
            tokio::spawn(feed(input, to_container));
            pieces(output)
        })
    });
    joined.into_stream().filter_map(ready).flatten()
}

/// The bytes of `from` as they come.
pub(crate) fn pieces(from: impl AsyncRead + Unpin) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::unfold(from, |mut from| async move {
        let mut piece = Vec::with_capacity(PIECE);
        match from.read_buf(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(Bytes::from(piece)), from)),
            Err(error) => Some((Err(error), from)),
        }
    })
}

/// `101 UPGRADED`, in docker's words.
fn switching(kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.extensions_mut().insert(ReasonPhrase::from_static(b"UPGRADED"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
    response
}

/// Waits for the socket, which hyper gives away once the answer is written, and relays until one side is done.
async fn upgraded(
    upgrade: OnUpgrade,
    container: impl Future<Output = Option<UnixStream>>,
    detach: Option<Detach>,
) -> io::Result<()> {
    let upgraded = upgrade.await.map_err(io::Error::other)?;
    let parts = upgraded
        .downcast::<TokioIo<Stream>>()
        .map_err(|_| io::Error::other("the upgraded connection is none of ours"))?;
    let Some(container) = container.await else { return Ok(()) };
    let client = parts.io.into_inner();
    head_taken(&client).await;
    // A quick client's first input may have been read together with its request.
    relay(client, &parts.read_buf, container, detach).await
}

/// Waits until the client has read the head of the answer, for the sake of those that lose what comes in the same breath.
/// Most have by now. One that reads nothing for a while is not waited for.
async fn head_taken(client: &Stream) {
    for _ in 0..100 {
        if sys::unread(client.as_fd()) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn relay(client: Stream, early: &[u8], container: UnixStream, mut detach: Option<Detach>) -> io::Result<()> {
    let (from_client, mut to_client) = tokio::io::split(client);
    let (mut from_container, to_container) = container.into_split();
    let input = pump(early, from_client, to_container, &mut detach);
    let output = async {
        tokio::io::copy(&mut from_container, &mut to_client).await?;
        to_client.shutdown().await
    };
    tokio::pin!(input, output);
    tokio::select! {
        done = &mut output => done,
        ended = &mut input => match ended {
            Ok(End::Left) => Ok(()),
            // No more input (or a program that no longer reads it): the output goes on.
            Ok(End::Eof) | Err(_) => output.await,
        },
    }
}

/// How the client's input ended.
enum End {
    /// There is no more.
    Eof,
    /// By the detach keys.
    Left,
}

/// The client's input to the container, `early` first. The end of it is passed on.
async fn pump(
    early: &[u8],
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    detach: &mut Option<Detach>,
) -> io::Result<End> {
    let mut piece = Vec::with_capacity(PIECE);
    piece.extend_from_slice(early);
    loop {
        match detach.as_mut().map(|detach| detach.scan(&piece)) {
            None => to.write_all(&piece).await?,
            Some(Passed::On(bytes)) => to.write_all(&bytes).await?,
            Some(Passed::Leave(bytes)) => return to.write_all(&bytes).await.map(|()| End::Left),
        }
        piece.clear();
        if from.read_buf(&mut piece).await? == 0 {
            return to.shutdown().await.map(|()| End::Eof);
        }
    }
}

/// The request's body as the container's input, for clients that do not upgrade.
async fn feed(body: Body, mut input: impl AsyncWrite + Unpin) {
    let mut pieces = body.into_data_stream();
    while let Some(Ok(piece)) = pieces.next().await {
        if input.write_all(&piece).await.is_err() {
            return;
        }
    }
    let _ = input.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(stream: &mut UnixStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    /// client end, container end, the relay between them
    fn joined(
        early: &'static [u8],
        detach: Option<Detach>,
    ) -> (UnixStream, UnixStream, tokio::task::JoinHandle<io::Result<()>>) {
        let (client, near) = UnixStream::pair().unwrap();
        let (far, container) = UnixStream::pair().unwrap();
        let task = tokio::spawn(async move { relay(Stream::Unix(near), early, far, detach).await });
        (client, container, task)
    }

    #[tokio::test]
    async fn the_end_of_input_does_not_end_the_output() {
        let (mut client, mut container, task) = joined(b"early ", None);
        client.write_all(b"late").await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(text(&mut container).await, "early late");
        container.write_all(b"answer").await.unwrap();
        drop(container);
        assert_eq!(text(&mut client).await, "answer");
        task.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn the_end_of_output_ends_it_all() {
        let (mut client, container, task) = joined(b"", None);
        drop(container);
        assert_eq!(text(&mut client).await, "");
        task.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn detach_keys_leave_and_are_not_passed() {
        let (mut client, mut container, task) = joined(b"", Some(Detach::parse("").unwrap()));
        client.write_all(b"ls\x10\x11").await.unwrap();
        assert_eq!(text(&mut client).await, "");
        assert_eq!(text(&mut container).await, "ls");
        task.await.unwrap().unwrap();
    }
}
