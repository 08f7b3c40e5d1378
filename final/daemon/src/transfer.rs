//! Archives on their way in and out: the chapters read and write tar with blocking calls, the daemon speaks in pieces that
//! come when they come. A short channel joins the two; when it is full, the sender waits, so no archive is ever in memory.

use std::io::{self, Read, Write};

use axum::body::{Body, Bytes};
use futures_util::{StreamExt, stream};
use skiff_engine::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many pieces are on their way at most.
const ON_THE_WAY: usize = 8;

/// A body as something that blocking code can read, and the task that receives it. Reading ends with an error when the
/// client hangs up before the end.
///
/// The task ends when the client has sent everything, also what the reader did not want: most clients read the answer only
/// when they have sent everything, and a connection that closes with bytes unread resets them. So an answer ends only after
/// this task ([`received`]).
pub(crate) fn reader(body: Body) -> (impl Read + Send + 'static, JoinHandle<()>) {
    let (send, pieces) = mpsc::channel(ON_THE_WAY);
    let task = tokio::spawn(async move {
        let mut body = body.into_data_stream();
        while let Some(piece) = body.next().await {
            if send.send(piece.map_err(io::Error::other)).await.is_err() {
                // The reader has seen enough: read and drop.
                while let Some(Ok(_)) = body.next().await {}
                return;
            }
        }
    });
    (Incoming { pieces, rest: Bytes::new() }, task)
}

/// Waits until the client has sent everything.
pub(crate) async fn received(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!("the task that receives a body: {error}");
    }
}

/// The body that `write` writes, on a thread of its own. When it fails, the connection ends in the middle of the body, so
/// that the client does not take a part for the whole.
pub(crate) fn sent(write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), Error> + Send + 'static) -> Body {
    let (send, pieces) = mpsc::channel(ON_THE_WAY);
    tokio::task::spawn_blocking(move || {
        let mut writer = io::BufWriter::with_capacity(64 * 1024, Outgoing(send.clone()));
        let flush = |writer: &mut dyn Write| writer.flush().map_err(|error| Error::internal(error.to_string()));
        if let Err(error) = write(&mut writer).and_then(|()| flush(&mut writer)) {
            tracing::error!("{}", error.message);
            let _ = send.blocking_send(Err(io::Error::other(error)));
        }
    });
    Body::from_stream(stream::unfold(pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) }))
}

struct Incoming {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.rest = piece?,
                None => return Ok(0),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(into.len()));
        let (head, _) = into.split_at_mut(piece.len());
        head.copy_from_slice(&piece);
        Ok(piece.len())
    }
}

struct Outgoing(mpsc::Sender<io::Result<Bytes>>);

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "the client hung up")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn blocking_code_reads_a_body_and_writes_one() {
        let pieces = ["one ", "two ", "", "three"].map(|piece| Ok::<_, io::Error>(Bytes::from(piece)));
        let (mut reader, _) = reader(Body::from_stream(stream::iter(pieces)));
        let body = sent(move |writer| {
            assert_eq!(io::copy(&mut reader, writer).unwrap(), 13);
            Ok(())
        });
        assert_eq!(body.collect().await.unwrap().to_bytes(), "one two three");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_failure_in_the_middle_is_no_end() {
        let body = sent(|writer| {
            writer.write_all(b"half").unwrap();
            Err(Error::internal("broken"))
        });
        assert!(body.collect().await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_hangs_up_is_an_error_and_not_an_end() {
        let pieces = [Ok(Bytes::from("half")), Err(io::Error::other("gone"))];
        let (mut reader, _) = reader(Body::from_stream(stream::iter(pieces)));
        let read = tokio::task::spawn_blocking(move || io::read_to_string(&mut reader)).await.unwrap();
        assert!(read.unwrap_err().to_string().contains("gone"));
    }
}
