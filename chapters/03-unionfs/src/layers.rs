//! Layer directories: each layer unpacked once, however many images and containers use it.
//!
//! ```text
//! layers/
//!   CHAIN-ID-HEX/
//!     diff/          the layer's files: a lower directory of overlays
//!     layer.json     what it is; written last
//!   .new-NUMBER/     being unpacked; removed when the store is opened again
//! ```
//!
//! A layer appears whole or not at all: it is unpacked under a temporary name and renamed when it is complete.
//!
//! Several images share a layer when they agree on it and on everything below it: that is what the chain id says. A
//! base image is therefore on the disk once, and ten containers of it have the very same lower directories, and the
//! same pages in memory.
//!
//! Layers do not know who uses them. The image store does (chapter 6), and it alone removes them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use namespaces::{Context, Failure, Result, Root};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, chain_id};
use crate::unpack::Stats;

/// Names of layers that are not complete begin with this.
const UNFINISHED: &str = ".new-";

/// The directory of all layers.
#[derive(Debug)]
pub struct Layers {
    directory: PathBuf,
    /// Makes the temporary names differ: several layers are unpacked at once.
    next: AtomicU64,
}

/// What `layer.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Name of the layer with all that is below it, and of its directory.
    pub chain_id: Digest,
    /// Digest of its tar archive.
    pub diff_id: Digest,
    /// Chain id of what is below; `None` for a lowest layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Digest>,
    /// Bytes of its regular files together.
    pub size: u64,
}

impl Layers {
    /// Opens `directory`, makes it if it is missing, and removes what an interrupted unpack has left there.
    ///
    /// Only one process may use it at a time; the image store's lock sees to that (chapter 6).
    pub fn open(directory: &Path) -> Result<Self> {
        // Images have set-user-id programs. No other user of the machine may reach them here (CVE-2021-41091).
        let private = fs::create_dir_all(directory)
            .and_then(|()| fs::set_permissions(directory, fs::Permissions::from_mode(0o700)));
        private.during("make the directory", directory.display())?;
        let layers = Self { directory: directory.to_owned(), next: AtomicU64::new(0) };
        for name in layers.names()?.into_iter().filter(|name| name.starts_with(UNFINISHED)) {
            remove(&directory.join(name))?;
        }
        Ok(layers)
    }

    /// The files of the layer: a lower directory. Exists when [`Layers::get`] knows the layer.
    pub fn diff(&self, chain_id: &Digest) -> PathBuf {
        self.place(chain_id).join("diff")
    }

    /// The layer, when it is here and complete.
    pub fn get(&self, chain_id: &Digest) -> Option<Layer> {
        let record = fs::read(self.place(chain_id).join("layer.json")).ok()?;
        serde_json::from_slice(&record).ok()
    }

    /// Every complete layer.
    pub fn list(&self) -> Result<Vec<Layer>> {
        let names = self.names()?;
        Ok(names.iter().filter_map(|name| self.get(&Digest::from_hex(name).ok()?)).collect())
    }

    /// Begins a layer: unpack into [`Unfinished::root`], then call [`Unfinished::finish`].
    pub fn begin(&self) -> Result<Unfinished> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let place = self.directory.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
        let diff = place.join("diff");
        fs::create_dir_all(&diff).during("make the directory", diff.display())?;
        let unfinished = Unfinished { layers: self.directory.clone(), place, done: false };
        Ok(unfinished)
    }

    /// Removes a layer. The caller knows that no image and no container uses it. Removing what is not there is no
    /// error.
    pub fn remove(&self, chain_id: &Digest) -> Result<()> {
        let place = self.place(chain_id);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Under its final name it must be whole to the last moment, so it goes away by a rename.
        let going = self.directory.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
        match fs::rename(&place, &going) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).during("remove the layer", place.display()),
            Ok(()) => remove(&going),
        }
    }

    /// `layers/HEX`, whether it exists or not.
    fn place(&self, chain_id: &Digest) -> PathBuf {
        self.directory.join(chain_id.hex())
    }

    /// The names in the directory. Those that are not UTF-8 are not ours.
    fn names(&self) -> Result<Vec<String>> {
        let step = "list the layers in";
        let entries = fs::read_dir(&self.directory).during(step, self.directory.display())?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.during(step, self.directory.display())?;
            names.extend(entry.file_name().into_string());
        }
        Ok(names)
    }
}

/// A layer that is being unpacked. Dropping it removes it.
#[derive(Debug)]
pub struct Unfinished {
    layers: PathBuf,
    place: PathBuf,
    /// Whether it has its final name, and so must not be removed.
    done: bool,
}

impl Unfinished {
    /// Where to unpack.
    pub fn root(&self) -> Result<Root> {
        Root::open(&self.diff())
    }

    /// The same as a path: for those who look at it and never leave it.
    pub fn diff(&self) -> PathBuf {
        self.place.join("diff")
    }

    /// Gives the layer its name, once its files are on the disk.
    ///
    /// `stats` is what [`crate::apply_layer`] returned. When somebody else was quicker with the same layer, theirs
    /// stays and ours goes.
    pub fn finish(mut self, parent: Option<Digest>, diff_id: Digest, stats: Stats) -> Result<Layer> {
        let layer = Layer { chain_id: chain_id(parent, diff_id), diff_id, parent, size: stats.size };
        let record = self.place.join("layer.json");
        let text = serde_json::to_vec(&layer).step("write the layer's record")?;
        fs::write(&record, text).during("write", record.display())?;
        self.sync(stats.members)?;
        let place = self.layers.join(layer.chain_id.hex());
        match fs::rename(&self.place, &place) {
            Ok(()) => self.done = true,
            Err(_) if place.join("layer.json").exists() => {}
            Err(error) => return Err(error).during("name the layer", place.display()),
        }
        Ok(layer)
    }

    /// A rename can reach the disk before the data does, and after a power failure an empty file would stand under the
    /// name of a whole layer. A few files are synced one by one. For many it is quicker to sync the file system,
    /// although that waits for everybody else's data too.
    fn sync(&self, members: u64) -> Result<()> {
        const FEW: u64 = 64;
        if members <= FEW {
            return sync_tree(&self.place).during("sync", self.place.display());
        }
        let directory = fs::File::open(&self.place).during("open", self.place.display())?;
        rustix::fs::syncfs(&directory).during("sync the file system of", self.place.display())
    }
}

/// Every file, then every directory, from the bottom up.
fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            fs::File::open(entry.path())?.sync_data()?;
        }
    }
    fs::File::open(directory)?.sync_all()
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.done {
            // Nobody can be told here; the next open tries again.
            let _ = remove(&self.place);
        }
    }
}

/// Removes a tree. Symbolic links in it are removed and not followed.
fn remove(place: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        answer => answer.during("remove", place.display()),
    }
}
