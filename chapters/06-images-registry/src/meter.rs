//! A reader that tells how far it is.
//!
//! A read is 128 kB or less, and a layer can be a gigabyte: without a pause between two messages the telling would cost
//! more than the reading.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::image::{Event, Progress};

/// Not more often than this: a progress bar has no use for more.
const PAUSE: Duration = Duration::from_millis(100);

/// Tells `status` of the layer `id` with the bytes read through it.
pub(crate) struct Meter<'a, R> {
    reader: R,
    id: String,
    status: &'static str,
    /// Bytes so far.
    done: u64,
    total: u64,
    progress: Progress<'a>,
    /// When the last message was.
    told: Instant,
}

impl<'a, R> Meter<'a, R> {
    /// Of `total` bytes.
    pub(crate) fn new(reader: R, id: &str, status: &'static str, total: u64, progress: Progress<'a>) -> Self {
        Self::of_part(reader, id.to_owned(), status, 0, total, progress)
    }

    /// Of what comes after the first `done` bytes of `total`.
    pub(crate) fn of_part(
        reader: R,
        id: String,
        status: &'static str,
        done: u64,
        total: u64,
        progress: Progress<'a>,
    ) -> Self {
        progress(Event::of(&id, status).at(done, total));
        Self { reader, id, status, done, total, progress, told: Instant::now() }
    }
}

impl<R: Read> Read for Meter<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.done += length as u64;
        let last = length == 0 || self.done == self.total;
        if last || self.told.elapsed() >= PAUSE {
            (self.progress)(Event::of(&self.id, self.status).at(self.done, self.total));
            self.told = Instant::now();
        }
        Ok(length)
    }
}
