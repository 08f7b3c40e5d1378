//! The blobs of the layout: `blobs/sha256/HEX`, each named by its digest.
//!
//! A blob is written under a temporary name while its digest is computed, synced, and renamed when the digest is the
//! one that was expected. What has a final name is whole.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Blobs that are being downloaded.
    claims: Arc<Mutex<HashSet<Digest>>>,
}

impl Blobs {
    /// The blobs of the layout at `layout`. What an interrupted write left there is removed, except for the beginnings of
    /// downloads ([`Blobs::resume`]).
    /// A blob under its temporary name when the store is opened is from a process that did not get to the end: the lock
    /// says that nobody is writing now.
    pub(crate) fn open(layout: &Path) -> Result<Self> {
        let (directory, unfinished) = (layout.join("blobs/sha256"), layout.join("unfinished"));
        for each in [&directory, &unfinished] {
            fs::create_dir_all(each).during("make the directory", each.display())?;
        }
        let blobs =
            Self { directory, unfinished, next: AtomicU64::new(0), pins: Mutex::default(), claims: Arc::default() };
        for name in names(&blobs.unfinished)?.into_iter().filter(|name| Digest::from_hex(name).is_err()) {
            let path = blobs.unfinished.join(name);
            fs::remove_file(&path).during("remove", path.display())?;
        }
        Ok(blobs)
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
        let place = Unfinished { path, directory: self.directory.clone(), spared: false, _claim: None };
        Ok(BlobWriter { file, place, hasher: Hasher::default(), replayed: 0 })
    }

    /// Goes on with the download of a blob of at most `size` bytes where an earlier one stopped; also returns what that one
    /// has left. Those bytes must be written once more, before all others: they are hashed then, but stay where they are.
    ///
    /// Two downloads of the same blob at once do not share a file: the second begins one of its own.
    pub(crate) fn resume(&self, digest: &Digest, size: u64) -> Result<(BlobWriter, Option<File>)> {
        let Some(claim) = Claim::make(&self.claims, *digest) else { return Ok((self.writer()?, None)) };
        let path = self.unfinished.join(digest.hex());
        let open = File::options().read(true).append(true).create(true).open(&path);
        let file = open.during("make the file", path.display())?;
        let mut there = file.metadata().during("look at", path.display())?.len();
        if there > size {
            file.set_len(0).during("truncate", path.display())?;
            there = 0;
        }
        let earlier = File::open(&path).during("open", path.display())?;
        let place = Unfinished { path, directory: self.directory.clone(), spared: false, _claim: Some(claim) };
        let writer = BlobWriter { file, place, hasher: Hasher::default(), replayed: there };
        Ok((writer, (there > 0).then_some(earlier)))
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
        Ok(names(&self.directory)?.iter().filter_map(|name| Digest::from_hex(name).ok()).collect())
    }

    /// The blobs whose download has begun and not ended.
    pub(crate) fn begun(&self) -> Result<Vec<Digest>> {
        Ok(names(&self.unfinished)?.iter().filter_map(|name| Digest::from_hex(name).ok()).collect())
    }

    /// Where the beginning of a blob is.
    pub(crate) fn begun_path(&self, digest: &Digest) -> PathBuf {
        self.unfinished.join(digest.hex())
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

/// The names in a directory. One that is not UTF-8 is not ours.
fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(directory).during("list", directory.display())?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}

/// The right to write the beginning of a blob.
#[derive(Debug)]
struct Claim {
    claims: Arc<Mutex<HashSet<Digest>>>,
    digest: Digest,
}

impl Claim {
    /// None when somebody else has it.
    fn make(claims: &Arc<Mutex<HashSet<Digest>>>, digest: Digest) -> Option<Self> {
        let new = claims.lock().unwrap_or_else(PoisonError::into_inner).insert(digest);
        new.then(|| Self { claims: Arc::clone(claims), digest })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.digest);
    }
}

/// A file that goes away unless it is given its name.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    directory: PathBuf,
    /// Whether it stays, for the next download to go on with.
    spared: bool,
    _claim: Option<Claim>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.spared {
            // After `keep` it is no longer there; and nobody can be told here. The next open tries again.
            let _ = fs::remove_file(&self.path);
        }
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
    /// So many of the next bytes are in the file already.
    replayed: u64,
}

impl BlobWriter {
    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        let there = usize::try_from(self.replayed).unwrap_or(usize::MAX).min(bytes.len());
        self.replayed -= there as u64;
        let new = bytes.get(there..).unwrap_or_default();
        Ok(self.file.write_all(new).during("write", self.place.path.display())?)
    }

    /// Leaves what is there for the next download to go on with.
    pub(crate) fn spare(mut self) {
        self.place.spared = true;
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
