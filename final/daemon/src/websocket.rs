//! Attach over a web socket (RFC 6455), for browsers: they cannot take a connection over as `hijack.rs` has it.
//!
//! ```text
//!   client ── messages ──▶ daemon (looks for detach keys) ──── stdin ────▶ monitor
//!          ◀─ messages ───        (takes heads of 8 bytes off)  ◀── output ──
//! ```
//!
//! A message is a piece of a stream and where it is cut means nothing. Output and error output come as one, without the
//! heads that tell them apart: docker does so, and who needs one of them alone asks for it alone. A web socket cannot be
//! closed by half either, so a client that closes has left; the end of the program's output closes it from this side.

use std::io::{self, ErrorKind};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::{SinkExt, Stream, StreamExt, stream};
use skiff_engine::containers::Attached;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::detach::{Detach, Passed};
use crate::hijack::pieces;
use crate::versions::Version;

/// How long a client may take to answer our close.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the client's messages are good for.
#[derive(Debug)]
pub(crate) struct Input {
    /// Whether they are the program's input. They are dropped otherwise.
    pub(crate) wanted: bool,
    /// The keys by which the client leaves, where there is a terminal.
    pub(crate) detach: Option<Detach>,
}

/// Joins `socket` and the container's streams until one of them ends, and closes the socket.
pub(crate) async fn relay(socket: WebSocket, attached: Attached, input: Input, version: Version) {
    let (mut to_client, mut from_client) = socket.split();
    let (from_container, to_container) = attached.stream.into_split();
    let output =
        if attached.tty { pieces(from_container).left_stream() } else { unframed(from_container).right_stream() };
    let outgoing = async {
        tokio::pin!(output);
        while let Some(Ok(piece)) = output.next().await {
            to_client.send(message(piece, version)).await?;
        }
        Ok::<_, axum::Error>(())
    };
    let ended = tokio::select! {
        ended = outgoing => ended,
        () = take(&mut from_client, to_container, input) => Ok(()),
    };
    if let Err(error) = ended {
        tracing::debug!("the client on the web socket is gone: {error}");
        return;
    }
    let normal = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    // It may be the client that has closed; then this fails, and there is nothing left to say.
    let _ = to_client.send(Message::Close(Some(normal))).await;
    // A connection dropped with bytes unread is reset, which can cost the client the end of the output: read to its close.
    let _ = timeout(PATIENCE, async { while let Some(Ok(_)) = from_client.next().await {} }).await;
}

/// A piece of output as a message: binary, and text for clients from before 1.28. A text that is no UTF-8 breaks the
/// connection (RFC 6455, 8.1), so there every wrong byte, as in binary output or a letter cut in two, becomes U+FFFD.
fn message(piece: Bytes, version: Version) -> Message {
    if version < Version(1, 28) { Message::text(&*String::from_utf8_lossy(&piece)) } else { Message::Binary(piece) }
}

/// The client's messages to the container, until the client has left: by its keys, by closing, or by going away.
async fn take(
    mut from: impl Stream<Item = Result<Message, axum::Error>> + Unpin,
    mut to: impl AsyncWrite + Unpin,
    Input { mut wanted, mut detach }: Input,
) {
    while let Some(Ok(message)) = from.next().await {
        let piece = match message {
            Message::Binary(_) | Message::Text(_) if wanted => message.into_data(),
            // The library answers pings, and a close by the end of the messages.
            _ => continue,
        };
        let written = match detach.as_mut().map(|detach| detach.scan(&piece)) {
            None => to.write_all(&piece).await,
            Some(Passed::On(bytes)) => to.write_all(&bytes).await,
            Some(Passed::Leave(bytes)) => {
                let _ = to.write_all(&bytes).await;
                return;
            }
        };
        // A program that no longer reads may still write.
        wanted = written.is_ok();
    }
}

/// The pieces of a stream whose every piece has a head of 8 bytes before it, the last four its length.
fn unframed(from: impl AsyncRead + Unpin) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(from, |mut from| async move {
        let mut head = [0; 8];
        match from.read_exact(&mut head).await {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        };
        let [.., a, b, c, d] = head;
        let length = u32::from_be_bytes([a, b, c, d]);
        let mut piece = Vec::new();
        (&mut from).take(length.into()).read_to_end(&mut piece).await?;
        Ok(Some((Bytes::from(piece), from)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn heads_are_taken_off_and_a_piece_cut_short_is_told_as_far_as_it_came() {
        let stream: &[u8] = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x05er";
        let pieces: Vec<_> = unframed(stream).map(Result::unwrap).collect().await;
        assert_eq!(pieces, [&b"out"[..], b"er"]);
    }

    #[test]
    fn text_is_for_old_clients_and_always_utf_8() {
        let piece = Bytes::from_static(b"\xffhi");
        assert_eq!(message(piece.clone(), Version(1, 27)), Message::text("\u{fffd}hi"));
        assert_eq!(message(piece.clone(), Version(1, 28)), Message::Binary(piece));
    }

    #[tokio::test]
    async fn messages_are_input_until_the_keys_and_only_where_input_is_wanted() {
        for (wanted, expected) in [(true, &b"ls"[..]), (false, b"")] {
            let messages = [Message::Ping(Bytes::new()), Message::text("l"), Message::binary(&b"s\x10\x11no"[..])];
            let mut program = Vec::new();
            let input = Input { wanted, detach: Some(Detach::parse("").unwrap()) };
            take(stream::iter(messages.map(Ok)), &mut program, input).await;
            assert_eq!(program, expected);
        }
    }
}
