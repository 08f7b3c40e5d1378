//! Bodies: JSON in one piece, files streamed upwards, lines of JSON streamed downwards.

use std::fs::File;
use std::io::{self, Read};

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::StatusCode;
use hyper::body::{Frame, Incoming};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::broken;
use crate::error::{Error, Result};

/// What a request carries.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// How much of a file is read at once.
const CHUNK: usize = 256 * 1024;

/// A body that is all there.
pub(crate) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A file on its way to the daemon.
#[derive(Debug)]
pub(crate) struct Upload {
    /// Read from where it stands to its end.
    pub(crate) file: File,
}

impl Upload {
    /// A body that is read while it is sent. Reading blocks the only thread; between two reads the socket is served, and a
    /// file is never slow enough for anybody to notice.
    pub(crate) fn into_body(self) -> Body {
        let chunks = stream::try_unfold(self.file, |mut file| async move {
            let mut chunk = vec![0; CHUNK];
            let count = file.read(&mut chunk)?;
            chunk.truncate(count);
            Ok((count > 0).then(|| (Frame::data(Bytes::from(chunk)), file)))
        });
        StreamBody::new(chunks).boxed_unsync()
    }
}

/// The sentence in an error's body: `{"message": …}`, or the body itself when it is not that.
pub(crate) fn message(status: StatusCode, bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Answer {
        message: String,
    }
    match serde_json::from_slice::<Answer>(bytes) {
        Ok(answer) => answer.message,
        Err(_) if bytes.iter().all(u8::is_ascii_whitespace) => format!("the daemon answered {status}"),
        Err(_) => String::from_utf8_lossy(bytes).trim().to_owned(),
    }
}

/// A stream of JSON values, one per line.
pub(crate) struct Lines {
    body: Incoming,
    buffer: BytesMut,
}

impl Lines {
    /// The values of a body.
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, buffer: BytesMut::new() }
    }

    /// The next value; `None` at the end.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        match self.line().await? {
            None => Ok(None),
            Some(line) => serde_json::from_slice(&line)
                .map(Some)
                .map_err(|error| Error::new(format!("cannot understand a line from the daemon: {error}"))),
        }
    }

    /// The next line that is not empty, without its end.
    pub(crate) async fn line(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(line) = take_line(&mut self.buffer) {
                return Ok(Some(line));
            }
            let Some(frame) = self.body.frame().await else {
                // The last line may lack its end.
                let rest = self.buffer.split().freeze();
                return Ok(Some(rest).filter(|rest| !rest.trim_ascii().is_empty()));
            };
            let frame = frame.map_err(|error| broken(&error))?;
            self.buffer.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
    }
}

/// Takes the first whole line that is not empty off the buffer.
fn take_line(buffer: &mut BytesMut) -> Option<Bytes> {
    loop {
        let end = buffer.iter().position(|&byte| byte == b'\n')?;
        let line = buffer.split_to(end).freeze();
        buffer.advance(1);
        if !line.trim_ascii().is_empty() {
            return Some(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_an_error_is_found_in_any_body() {
        let status = StatusCode::NOT_FOUND;
        assert_eq!(message(status, br#"{"message":"No such container: x"}"#), "No such container: x");
        assert_eq!(message(status, b"page not found\n"), "page not found");
        assert_eq!(message(status, b"\n"), "the daemon answered 404 Not Found");
    }

    #[test]
    fn lines_are_taken_whole() {
        let mut buffer = BytesMut::from(&b"{}\r\n\n{\"a\":1}\n{\"b"[..]);
        assert_eq!(take_line(&mut buffer).unwrap().trim_ascii(), b"{}");
        assert_eq!(&take_line(&mut buffer).unwrap()[..], b"{\"a\":1}");
        assert_eq!(take_line(&mut buffer), None);
        assert_eq!(&buffer[..], b"{\"b");
    }
}
