//! A blob on its way. When the connection breaks, the rest is asked for (RFC 9110 section 14.2, `Range`), so that a
//! layer of a gigabyte does not begin again because of its last byte.
//!
//! The reader is where retrying belongs: whoever unpacks the layer on the other end of the pipeline cannot begin again,
//! and does not have to know. What was damaged on the way is not our concern here; the digest finds it at the end.

use std::io::{self, Read};

use namespaces::Failure;
use unionfs::Digest;
use ureq::http::StatusCode;

use super::client::Client;
use crate::error::{Error, Kind, Result};

/// How often the rest is asked for without a byte coming.
const ATTEMPTS: u32 = 4;

/// The content of a blob: as many bytes as its descriptor says, or an error.
pub(super) struct Body<'a> {
    /// Where more is asked for.
    client: &'a Client<'a>,
    digest: Digest,
    /// Bytes that its descriptor promises. More is never read, however much the registry sends.
    size: u64,
    /// Bytes so far.
    at: u64,
    /// The connection of the moment.
    reader: Box<dyn Read + Send + 'a>,
    /// How often it broke since the last byte.
    attempts: u32,
}

impl<'a> Body<'a> {
    /// Begins after the first `at` bytes. Nothing is asked for when that is all.
    pub(super) fn open(client: &'a Client<'a>, digest: Digest, size: u64, at: u64) -> Result<Self> {
        let reader = if at < size { request(client, &digest, at)? } else { Box::new(io::empty()) };
        Ok(Self { client, digest, size, at, reader, attempts: 0 })
    }

    /// The connection broke with `reason`.
    fn resume(&mut self, reason: &str) -> Result<()> {
        self.attempts += 1;
        if self.attempts > ATTEMPTS {
            let failure = Failure::new("fetch the blob", reason).on(self.digest);
            return Err(Error::new(Kind::Unavailable, failure)
                .with_hint("The connection to the registry breaks again and again. Try again later."));
        }
        self.reader = request(self.client, &self.digest, self.at)?;
        Ok(())
    }
}

/// A reader of the blob from `at`.
/// A registry that serves blobs from a store of its own answers with a redirect; the client follows it.
fn request<'a>(client: &'a Client<'a>, digest: &Digest, at: u64) -> Result<Box<dyn Read + Send + 'a>> {
    let (path, range) = (format!("blobs/{digest}"), format!("bytes={at}-"));
    let headers = [("range", range.as_str())];
    let mut response = client.get(&path, if at > 0 { &headers } else { &[] })?;
    let status = response.status();
    if status != StatusCode::OK && status != StatusCode::PARTIAL_CONTENT {
        return Err(client.refusal(&mut response));
    }
    let mut reader = response.into_body().into_reader();
    if at > 0 && status == StatusCode::OK {
        // It does not know ranges and begins again; what we have is skipped.
        let skipped = io::copy(&mut reader.by_ref().take(at), &mut io::sink());
        skipped.map_err(|error| Error::of_read(error, "fetch the blob"))?;
    }
    Ok(Box::new(reader))
}

/// Ends after `size` bytes. An end before that is a broken connection, whatever the registry thinks.
impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..left).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.reader.read(buffer) {
                Ok(0) => self.resume("the connection ended early")?,
                Ok(length) => {
                    self.at += length as u64;
                    self.attempts = 0;
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.resume(&error.to_string())?,
            }
        }
    }
}
