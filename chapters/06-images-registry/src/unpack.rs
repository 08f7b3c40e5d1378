//! A layer arrives: one pass from the bytes that travel to a directory.
//!
//! ```text
//! first thread                                                    second thread
//! ───────────────────────────────────────────────────────────     ─────────────────
//! read ─▶ blob file and its digest ─▶ decompress ─▶ diff id ──▶  tar members ─▶ files
//!                                                   256 kB each
//! ```
//!
//! Nothing is trusted before the end and nothing has to be read twice: the blob and the directory both have temporary
//! names until both digests are known to be right.
//!
//! Two threads, because the two halves are equally busy: on one side the hash functions and inflate, on the other the
//! kernel making files. A pipe would do as well, but it would copy everything twice; a channel hands over the buffer
//! itself.
//!
//! Errors come from both sides at once. When a connection breaks, the reader fails with the reason, and the unpacker
//! then finds half an archive; when the disk is full, the unpacker fails with the reason, and the reader finds nobody
//! to hand its buffers to. So the reader's error goes first, and "nobody wants it any more" is none.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use namespaces::Failure;
use unionfs::{Digest, Hashing, Layers, Stats, Unfinished, apply_layer};

use crate::blobs::BlobWriter;
use crate::compression::{Compression, decompress};
use crate::error::{Error, Kind, Result};

/// Bytes that go from one thread to the other at once.
const CHUNK: usize = 256 << 10;
/// Chunks on the way.
const CHUNKS: usize = 4;

/// A layer that is unpacked but has no name yet.
pub(crate) struct Unpacked {
    /// The files.
    pub(crate) directory: Unfinished,
    /// Digest of the archive, decompressed.
    pub(crate) diff_id: Digest,
    pub(crate) stats: Stats,
    /// How it came.
    pub(crate) compression: Compression,
}

impl Unpacked {
    /// Fails unless the archive is the one that the image's configuration promised.
    pub(crate) fn verify(&self, promised: &Digest) -> Result<()> {
        if self.diff_id == *promised {
            return Ok(());
        }
        let why = format!("its archive has the digest {}", self.diff_id);
        let failure = Failure::new("accept the layer", why).on(promised);
        Err(Error::new(Kind::Invalid, failure)
            .with_hint("The image's configuration and its layers do not belong together."))
    }
}

// ANCHOR: one-pass
/// Unpacks a stream, compressed or not, into a new directory. Reads it to its end.
/// The directory that comes back has a temporary name. Dropping it removes it, so every way out of a pull or load that
/// is not success leaves nothing, without a line of code for it.
pub(crate) fn unpack(stream: impl Read + Send, layers: &Layers) -> Result<Unpacked> {
    let directory = layers.begin()?;
    let root = directory.root()?;
    let (sender, receiver) = sync_channel(CHUNKS);
    let (read, applied) = thread::scope(|scope| {
        let reader = scope.spawn(move || feed(stream, &sender));
        let applied = apply_layer(Chunks::new(receiver), &root);
        (reader.join(), applied)
    });
    let read = read.map_err(|_| Failure::new("unpack the layer", "the reading thread panicked"))?;
    // When both failed, the reader was first: what the archive lacked is what the reader could not give.
    match (read, applied) {
        (Err(error), _) => Err(error),
        (_, Err(failure)) => Err(Error::of_archive(failure)),
        (Ok((compression, diff_id)), Ok(stats)) => Ok(Unpacked { directory, diff_id, stats, compression }),
    }
}
// ANCHOR_END: one-pass

/// The first thread.
fn feed(stream: impl Read, sender: &SyncSender<Vec<u8>>) -> Result<(Compression, Digest)> {
    let step = "read the layer";
    let (compression, reader) = decompress(stream).map_err(|error| Error::of_read(error, step))?;
    let mut reader = Hashing::new(reader);
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        reader.by_ref().take(CHUNK as u64).read_to_end(&mut chunk).map_err(|error| Error::of_read(error, step))?;
        // The other end is gone when unpacking has failed; that failure is then the one to tell.
        if chunk.is_empty() || sender.send(chunk).is_err() {
            return Ok((compression, reader.finish().0));
        }
    }
}

/// The second thread's view of the first.
struct Chunks {
    receiver: Receiver<Vec<u8>>,
    chunk: io::Cursor<Vec<u8>>,
}

impl Chunks {
    /// Begins with an empty chunk.
    fn new(receiver: Receiver<Vec<u8>>) -> Self {
        Self { receiver, chunk: io::Cursor::default() }
    }
}

/// The end of the channel is the end of the archive. That the reader failed is told by its thread.
impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.chunk.read(buffer)? {
                0 if !buffer.is_empty() => match self.receiver.recv() {
                    Ok(chunk) => self.chunk = io::Cursor::new(chunk),
                    Err(_) => return Ok(0),
                },
                length => return Ok(length),
            }
        }
    }
}

/// A reader that writes what goes through it into a blob.
pub(crate) struct Tee<'a, R> {
    pub(crate) reader: R,
    pub(crate) blob: &'a mut BlobWriter,
}

/// A failure to write is the failure of this read: a layer that cannot be kept need not be read on.
impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.blob.write(buffer.get(..length).unwrap_or_default())?;
        Ok(length)
    }
}
