//! `skiff system check`: whether everything in the store is what its name says.
//!
//! Names here are digests, so there is something to check against. Every blob is hashed. Every layer is unpacked once more
//! beside the one in use, and the two are compared file by file: names, types, modes, owners, times, attributes, content.
//! That takes as long as pulling everything again, without the network, and needs room for the largest layer.
//!
//! What nobody refers to is removed on the way. Afterwards the store has exactly what its images need.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use namespaces::{Context, Failure};
use rustix::fs::{lgetxattr, llistxattr};
use unionfs::{Digest, Hasher};

use crate::error::Result;
use crate::remove::Swept;
use crate::store::{Known, Store};
use crate::unpack::unpack;

/// What a check has found.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// Images whose documents and layers are all there.
    pub images: usize,
    /// Blobs that were hashed.
    pub blobs: usize,
    /// Layers that were compared.
    pub layers: usize,
    /// Bytes that were read for it.
    pub bytes: u64,
    /// What is not as it should be. Empty when all is well.
    pub problems: Vec<Failure>,
    /// What nobody needed.
    pub swept: Swept,
}

impl Store {
    /// Checks everything, and removes what nobody needs. Others may use the store meanwhile; what comes while the check
    /// goes on is not looked at.
    ///
    /// What is damaged is no error of this call but an entry of [`Checked::problems`]: the check goes on to the end, since
    /// whoever repairs wants to know everything.
    ///
    /// # Errors
    /// The store itself cannot be read, or what is in the way cannot be removed.
    pub fn check(&self) -> Result<Checked> {
        let known = self.read().clone();
        let everything: Vec<Digest> = known.iter().flat_map(Known::reach).collect();
        let pin = self.blobs().pin(everything);
        let mut checked = Checked { problems: self.problems().to_vec(), ..Checked::default() };
        for blob in self.blobs().list()? {
            self.check_blob(&blob, &mut checked);
        }
        let mut seen = Vec::new();
        for image in &known {
            let before = checked.problems.len();
            self.check_image(image, &mut seen, &mut checked);
            checked.images += usize::from(checked.problems.len() == before);
        }
        drop(pin);
        checked.swept = self.sweep(Duration::ZERO)?;
        Ok(checked)
    }

    /// Hashes one blob. One that has gone since the list was made was removed by somebody else: that is no damage.
    fn check_blob(&self, blob: &Digest, checked: &mut Checked) {
        let Ok(file) = File::open(self.blobs().path(blob)) else { return };
        checked.blobs += 1;
        match hash(file).during("read the blob", blob) {
            Ok((digest, size)) => {
                checked.bytes += size;
                if digest != *blob {
                    let why = format!("its content has the digest {digest}");
                    checked.problems.push(Failure::new("trust the blob", why).on(blob).hint(REPAIR));
                }
            }
            Err(failure) => checked.problems.push(failure),
        }
    }

    /// Looks for everything that an image needs. A layer that several images have is compared once.
    fn check_image(&self, image: &Known, seen: &mut Vec<Digest>, checked: &mut Checked) {
        for blob in [image.entry.manifest.digest].into_iter().chain(image.manifest.blobs().map(|blob| blob.digest)) {
            if !self.blobs().has(&blob) {
                checked.problems.push(Failure::new("find the blob", "it is not there").on(blob).hint(REPAIR));
            }
        }
        let layers = image.layers.iter().zip(&image.config.rootfs.diff_ids).zip(&image.manifest.layers);
        for ((chain, diff_id), blob) in layers {
            if seen.contains(chain) {
                continue;
            }
            seen.push(*chain);
            checked.layers += 1;
            match self.check_layer(chain, diff_id, &blob.digest) {
                Ok(size) => checked.bytes += size,
                Err(error) => checked.problems.push(Failure::from(error).hint(REPAIR)),
            }
        }
    }

    /// Unpacks the layer's archive once more and compares. Returns the bytes of its files.
    ///
    /// The archive is checked against `diff_id` on the way: a damaged blob must not accuse a sound layer.
    fn check_layer(&self, chain: &Digest, diff_id: &Digest, blob: &Digest) -> Result<u64> {
        let again = unpack(self.blobs().open_blob(blob)?, self.layers())?;
        again.verify(diff_id)?;
        let there = self.layers().diff(chain);
        same(&again.directory.diff(), &there)?;
        Ok(again.stats.size)
    }
}

/// What to do about a damaged image.
const REPAIR: &str = "Remove the image and pull it again; the disk may be damaged.";

/// The digest and the length of everything that `file` gives, in memory of a constant size.
fn hash(mut file: impl Read) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            length => hasher.update(buffer.get(..length).unwrap_or_default()),
        }
    }
}

/// Fails when the tree `there` is not as `wanted`, naming the first file that differs.
///
/// Both are trees of ours, which no container can write: names may be followed here.
fn same(wanted: &Path, there: &Path) -> Result<(), Failure> {
    let step = "trust the file of a layer";
    let differs = |why: &str| Err(Failure::new(step, why).on(there.display()));
    let look = |path: &Path| fs::symlink_metadata(path).during(step, path.display());
    let (one, other) = (look(wanted)?, look(there)?);
    if traits(&one) != traits(&other) {
        return differs("its type, size, mode, owner or time has changed");
    }
    if attributes(wanted).during(step, wanted.display())? != attributes(there).during(step, there.display())? {
        return differs("its extended attributes have changed");
    }
    if one.is_dir() {
        let (names, others) = (names(wanted)?, names(there)?);
        if names != others {
            return differs("files were added or removed in it");
        }
        return names.iter().try_for_each(|name| same(&wanted.join(name), &there.join(name)));
    }
    if one.is_symlink() && fs::read_link(wanted).step(step)? != fs::read_link(there).step(step)? {
        return differs("it leads elsewhere");
    }
    let digest = |path: &Path| File::open(path).and_then(hash).during(step, path.display());
    if one.is_file() && digest(wanted)? != digest(there)? {
        return differs("its content has changed");
    }
    Ok(())
}

/// What two files have in common when they are the same. The size of a directory is the file system's business, and its time
/// is that of the unpacking when the archive does not name it.
fn traits(data: &Metadata) -> (u32, u32, u32, u64, u64, i64, i64) {
    let (mode, uid, gid, rdev) = (data.mode(), data.uid(), data.gid(), data.rdev());
    if data.is_dir() {
        return (mode, uid, gid, rdev, 0, 0, 0);
    }
    (mode, uid, gid, rdev, data.size(), data.mtime(), data.mtime_nsec())
}

/// What is in a directory, sorted: the order of readdir(3) means nothing.
fn names(directory: &Path) -> Result<Vec<std::ffi::OsString>, Failure> {
    let entries = fs::read_dir(directory).during("list", directory.display())?;
    let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.sort();
    Ok(names)
}

/// Names and values (xattr(7)), sorted. A file system without them has none.
fn attributes(path: &Path) -> rustix::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut list = vec![0; 1 << 16];
    let length = match llistxattr(path, &mut list) {
        Err(rustix::io::Errno::OPNOTSUPP) => 0,
        answer => answer?,
    };
    let mut all = Vec::new();
    for name in list.get(..length).unwrap_or_default().split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 1 << 16];
        let length = lgetxattr(path, name, &mut value)?;
        value.truncate(length);
        all.push((name.to_vec(), value));
    }
    all.sort();
    Ok(all)
}
