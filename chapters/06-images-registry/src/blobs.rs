//! The blobs of the layout: `blobs/sha256/HEX`, each named by its digest.
//!
//! A blob is written under a temporary name while its digest is computed, synced, and renamed when the digest is the
//! one that was expected. What has a final name is whole.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use namespaces::{Context, Failure};
use unionfs::{Digest, Hasher};

use crate::error::{Error, Kind, Result};

/// The directory of blobs.
/// ```no_run
/// # let store = images::Store::open(std::path::Path::new("/var/lib/skiff"))?;
/// let digest = store.blobs().put(b"{}")?;
/// assert_eq!(store.blobs().read(&digest, 100)?, b"{}");
/// # Ok::<(), images::Error>(())
/// ```
#[derive(Debug)]
pub struct Blobs {
    directory: PathBuf,
    /// `unfinished/`, on the same file system, so that a rename does not copy.
    unfinished: PathBuf,
    /// Makes the temporary names differ.
    next: AtomicU64,
    /// Blobs and layers that a pull or load under way relies on, although no image does yet.
    pins: Mutex<HashMap<Digest, usize>>,
}

impl Blobs {
    /// The blobs of the layout at `layout`. What an interrupted write left there is removed.
    /// A blob under its temporary name when the store is opened is from a process that did not get to the end: the lock
    /// says that nobody is writing now.
    pub(crate) fn open(layout: &Path) -> Result<Self> {
        let (directory, unfinished) = (layout.join("blobs/sha256"), layout.join("unfinished"));
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).during("remove", unfinished.display())?;
            }
            _ => {}
        }
        for each in [&directory, &unfinished] {
            fs::create_dir_all(each).during("make the directory", each.display())?;
        }
        Ok(Self { directory, unfinished, next: AtomicU64::new(0), pins: Mutex::default() })
    }

    /// Where the blob is, or would be.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(digest.hex())
    }

    /// Whether it is here.
    pub fn has(&self, digest: &Digest) -> bool {
        self.path(digest).exists()
    }

    /// Opens it.
    pub fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.path(digest);
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let failure = Failure::new("read the blob", "it is not in the store").on(digest);
                Err(Error::new(Kind::NotFound, failure))
            }
            answer => Ok(answer.during("open", path.display())?),
        }
    }

    /// Reads a small one whole, and checks that it is what its name says.
    pub fn read(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_blob(digest)?.take(limit + 1).read_to_end(&mut bytes).during("read the blob", digest)?;
        let damaged = |why: String| Error::new(Kind::System, Failure::new("read the blob", why).on(digest));
        if bytes.len() as u64 > limit {
            return Err(damaged(format!("it has more than {limit} bytes")));
        }
        if Digest::of(&bytes) != *digest {
            return Err(damaged("its content has changed on the disk".to_owned()));
        }
        Ok(bytes)
    }

    /// Stores these bytes; returns their digest.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        if !self.has(&digest) {
            let mut writer = self.writer()?;
            writer.write(bytes)?;
            writer.finish()?.keep()?;
        }
        Ok(digest)
    }

    /// Stores what `reader` gives if it has the digest `expected`; returns its length.
    pub fn put_blob(&self, reader: &mut dyn Read, expected: &Digest) -> Result<u64> {
        let mut writer = self.writer()?;
        let mut buffer = vec![0; 1 << 17];
        loop {
            let length = reader.read(&mut buffer).map_err(|error| Error::of_read(error, "read the blob"))?;
            if length == 0 {
                break;
            }
            writer.write(buffer.get(..length).unwrap_or_default())?;
        }
        let written = writer.finish()?;
        written.verify(expected)?;
        let size = written.size;
        written.keep()?;
        Ok(size)
    }

    /// Begins a blob of unknown digest. Dropped before [`Written::keep`], it leaves nothing.
    pub(crate) fn writer(&self) -> Result<BlobWriter> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.unfinished.join(number.to_string());
        let file = File::create_new(&path).during("make the file", path.display())?;
        let place = Unfinished { path, directory: self.directory.clone() };
        Ok(BlobWriter { file, place, hasher: Hasher::default() })
    }

    /// Removes a blob if it is here; returns whether it was.
    pub(crate) fn remove(&self, digest: &Digest) -> Result<bool> {
        let path = self.path(digest);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            answer => Ok(answer.during("remove", path.display()).map(|()| true)?),
        }
    }

    /// The digests of all blobs.
    pub(crate) fn list(&self) -> Result<Vec<Digest>> {
        let entries = fs::read_dir(&self.directory).during("list", self.directory.display())?;
        let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().into_string().ok();
        Ok(entries.filter_map(name).filter_map(|name| Digest::from_hex(&name).ok()).collect())
    }

    /// Keeps these blobs and layers from being removed until the pin is dropped.
    pub(crate) fn pin(&self, digests: impl IntoIterator<Item = Digest>) -> Pin<'_> {
        let digests: Vec<_> = digests.into_iter().collect();
        let mut pins = self.pinned();
        for digest in &digests {
            *pins.entry(*digest).or_default() += 1;
        }
        Pin { blobs: self, digests }
    }

    /// What is pinned. While the guard is held nobody else can pin: what is removed under it cannot come into use.
    pub(crate) fn pinned(&self) -> MutexGuard<'_, HashMap<Digest, usize>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Blobs::pin`].
/// Whoever fetches an image first pins all its digests and only then looks what is here already. Without that, a
/// removal at the same moment could take away what had just been found.
pub(crate) struct Pin<'a> {
    blobs: &'a Blobs,
    digests: Vec<Digest>,
}

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        let mut pins = self.blobs.pinned();
        for digest in &self.digests {
            match pins.get_mut(digest) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(pins.remove(digest)),
            }
        }
    }
}

/// A file that goes away unless it is given its name.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    directory: PathBuf,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After `keep` it is no longer there; and nobody can be told here. The next open tries again.
        let _ = fs::remove_file(&self.path);
    }
}

/// A blob that is being written.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    /// Open for writing until the blob is finished.
    file: File,
    place: Unfinished,
    /// The digest is computed as the bytes come: nothing is read again for it.
    hasher: Hasher,
}

impl BlobWriter {
    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).during("write", self.place.path.display())?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// There are no more bytes: it is synced, and its digest is known.
    pub(crate) fn finish(self) -> Result<Written> {
        let (digest, size) = self.hasher.finish();
        self.file.sync_data().during("sync", self.place.path.display())?;
        Ok(Written { place: self.place, digest, size })
    }
}

/// A blob that is written but has no name yet.
#[derive(Debug)]
pub(crate) struct Written {
    place: Unfinished,
    /// What it really is, whatever it was called on the way.
    pub(crate) digest: Digest,
    /// In bytes.
    pub(crate) size: u64,
}

impl Written {
    /// Fails unless it is what was expected.
    pub(crate) fn verify(&self, expected: &Digest) -> Result<()> {
        if self.digest == *expected {
            return Ok(());
        }
        let why = format!("its content has the digest {}", self.digest);
        Err(Error::new(Kind::Invalid, Failure::new("accept the blob", why).on(expected)).with_hint(
            "What arrived is not what was announced: it was damaged or changed on the way. Nothing of it was kept.",
        ))
    }

    /// Reads it from its beginning.
    pub(crate) fn reopen(&self) -> Result<File> {
        Ok(File::open(&self.place.path).during("open", self.place.path.display())?)
    }

    /// Gives it its name.
    pub(crate) fn keep(self) -> Result<Digest> {
        let path = self.place.directory.join(self.digest.hex());
        fs::rename(&self.place.path, &path).during("name the blob", path.display())?;
        Ok(self.digest)
    }
}
