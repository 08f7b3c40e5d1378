//! A blob on its way up (distribution specification, "Pushing blobs").
//!
//! ```text
//! in one piece                               in pieces
//! ------------                               ---------
//! PUT place?digest=sha256:…   201            PATCH place   Content-Range: 0-8388607          202, a new place
//!                                            PATCH place   Content-Range: 8388608-…          202, a new place
//!                                            PUT   place?digest=sha256:…   nothing           201
//! ```
//!
//! One piece is what every registry takes, and it costs one request. Pieces are for large blobs when that did not work:
//! the connection broke, or something on the way does not let so much through at once (413). After a break the registry is
//! asked how far it got (`GET place`, whose answer has a `Range`), and the rest is sent; a registry that does not know
//! begins again.

use std::io::{Read, Seek, SeekFrom};
use std::thread;

use namespaces::Context;
use ureq::http::{Method, StatusCode};

use super::push::{Begun, Push};
use super::transport::{ATTEMPTS, Ask, Payload, pause};
use crate::error::{Kind, Result};
use crate::manifest::Descriptor;
use crate::meter::Meter;

/// Bytes of one piece. What is smaller than this is never sent in pieces.
const PIECE: u64 = 8 << 20;

impl Push<'_> {
    /// Sends a blob to the place that the registry has named. With `told`, the progress is told on the way.
    ///
    /// # Errors
    /// The registry refuses it, or did not take it in all attempts.
    pub(super) fn upload(&self, blob: &Descriptor, place: &str, told: bool) -> Result<()> {
        match self.in_one(blob, place, told) {
            Err(error) if blob.size > PIECE && error.kind() == Kind::Unavailable => self.in_pieces(blob, told),
            answer => answer,
        }
    }

    /// One request. A small blob is worth another attempt as a whole; a large one goes on in pieces instead.
    fn in_one(&self, blob: &Descriptor, place: &str, told: bool) -> Result<()> {
        let open = || self.part(blob, 0, blob.size, told);
        let headers = vec![("content-type", "application/octet-stream".to_owned())];
        let body = Some(Payload { length: blob.size, open: &open });
        let repeat = blob.size <= PIECE;
        let ask = Ask { headers, body, repeat, ..Ask::new(Method::PUT, complete(place, blob)) };
        let mut response = self.client.send(&ask)?;
        match response.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(self.client.refusal(&mut response)),
        }
    }

    /// Each piece is a request of its own, and the registry says in its answer where the next one goes.
    ///
    /// Gives up when several attempts in a row have not brought a byte more than was there before.
    fn in_pieces(&self, blob: &Descriptor, told: bool) -> Result<()> {
        let Some(mut place) = self.again(blob)? else { return Ok(()) };
        let (mut at, mut furthest, mut failures) = (0, 0, 0);
        while at < blob.size {
            match self.piece(blob, &place, at, told) {
                Ok((end, next)) => (at, place) = (end, next),
                Err(error) if error.kind() != Kind::Unavailable || failures >= ATTEMPTS => return Err(error),
                Err(_) => {
                    failures += 1;
                    thread::sleep(pause(failures));
                    (at, place) = match self.reached(blob, &place) {
                        Some(reached) => reached,
                        None => match self.again(blob)? {
                            Some(place) => (0, place),
                            None => return Ok(()),
                        },
                    };
                }
            }
            if at > furthest {
                (furthest, failures) = (at, 0);
            }
        }
        let mut response = self.ask(Method::PUT, complete(&place, blob))?;
        match response.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(self.client.refusal(&mut response)),
        }
    }

    /// A new place; none when the registry has the blob meanwhile.
    fn again(&self, blob: &Descriptor) -> Result<Option<String>> {
        Ok(match self.begin(blob, None)? {
            Begun::At(place) => Some(place),
            Begun::Mounted => None,
        })
    }

    /// Sends one piece; returns where the next one begins, and its place.
    fn piece(&self, blob: &Descriptor, place: &str, at: u64, told: bool) -> Result<(u64, String)> {
        let end = blob.size.min(at + PIECE);
        let open = || self.part(blob, at, end, told);
        let headers = vec![
            ("content-type", "application/octet-stream".to_owned()),
            ("content-range", format!("{at}-{}", end - 1)),
        ];
        let body = Some(Payload { length: end - at, open: &open });
        let ask = Ask { headers, body, repeat: false, ..Ask::new(Method::PATCH, place.to_owned()) };
        let mut response = self.client.send(&ask)?;
        match response.status() {
            StatusCode::ACCEPTED => Ok((end, self.location(&response, place)?)),
            _ => Err(self.client.refusal(&mut response)),
        }
    }

    /// How far the registry got, and where to go on. None when it does not know or what it says makes no sense.
    fn reached(&self, blob: &Descriptor, place: &str) -> Option<(u64, String)> {
        let response = self.ask(Method::GET, place.to_owned()).ok()?;
        let (_, last) = response.headers().get("range")?.to_str().ok()?.rsplit_once('-')?;
        // Nothing and one byte look the same in this header.
        let at = last.parse::<u64>().ok().filter(|last| *last > 0).map_or(0, |last| last.saturating_add(1));
        let known = response.status() == StatusCode::NO_CONTENT && at <= blob.size;
        known.then(|| self.location(&response, place).ok().map(|place| (at, place))).flatten()
    }

    /// A part of a blob in the store, told as it is read.
    fn part(&self, blob: &Descriptor, at: u64, end: u64, told: bool) -> Result<Box<dyn Read + '_>> {
        let mut file = self.store.blobs.open_blob(&blob.digest)?;
        file.seek(SeekFrom::Start(at)).during("read the blob", blob.digest)?;
        let part = file.take(end - at);
        let id = blob.digest.short();
        Ok(if told {
            Box::new(Meter::of_part(part, id, "Pushing", at, blob.size, self.progress))
        } else {
            Box::new(part)
        })
    }
}

/// The address that makes a blob of what was sent.
fn complete(place: &str, blob: &Descriptor) -> String {
    let separator = if place.contains('?') { '&' } else { '?' };
    format!("{place}{separator}digest={}", blob.digest)
}
