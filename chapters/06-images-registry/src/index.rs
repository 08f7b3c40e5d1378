//! `index.json`: the list of what is in the layout, and under which names.
//!
//! Each line of the list is one name of one image. The name is in two annotations: `org.opencontainers.image.ref.name`,
//! by which `skopeo copy oci:/var/lib/skiff/images:NAME …` finds it, and `io.containerd.image.name`, which Docker's and
//! containerd's own archives have.
//!
//! ```json
//! {
//!   "schemaVersion": 2,
//!   "manifests": [
//!     {
//!       "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": "sha256:a1460345…", "size": 401,
//!       "annotations": {
//!         "org.opencontainers.image.ref.name": "docker.io/library/busybox:latest",
//!         "io.containerd.image.name": "docker.io/library/busybox:latest"
//!       }
//!     }
//!   ]
//! }
//! ```
//!
//! An image with two names has two lines; one without a name has a line without annotations. A name with a digest (what
//! a registry had the image under) is a line as well, so that `docker pull NAME@DIGEST` finds it again.

use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use namespaces::{Context, Failure};

use crate::error::{Error, Kind, Result};
use crate::manifest::{Descriptor, INDEX, Index};
use crate::reference::Reference;

/// The name in an OCI layout.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full name in Docker's and containerd's archives.
pub(crate) const IMAGE_NAME: &str = "io.containerd.image.name";
/// Marks an image that was removed while a container used it: only its layers count.
const HIDDEN: &str = "dev.skiff.image.hidden";

/// One image of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its manifest, without annotations.
    pub(crate) manifest: Descriptor,
    /// Its names, with a tag or with a digest.
    pub(crate) names: BTreeSet<Reference>,
    /// See [`HIDDEN`].
    pub(crate) hidden: bool,
}

/// Locks the layout for this process, and makes it if it is new. The lock ends with the descriptor.
/// flock(2): the kernel gives it back when the process ends, however it ends, so a lock is never left behind.
/// `oci-layout` is the file that is locked because it is the one that is never replaced.
pub(crate) fn lock(layout: &Path) -> Result<File> {
    // Images can hold secrets, and nobody but the engine has business here.
    let private = fs::create_dir_all(layout).and_then(|()| fs::set_permissions(layout, Permissions::from_mode(0o700)));
    private.during("make the directory", layout.display())?;
    let path = layout.join("oci-layout");
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.during("open", path.display())?;
    if file.try_lock().is_err() {
        let failure = Failure::new("use the images in", "another process uses them").on(layout.display());
        return Err(Error::new(Kind::Conflict, failure).with_hint(
            "Is another skiffd running with this data directory? Stop it, or give this one its own with --data-root.",
        ));
    }
    if file.metadata().during("look at", path.display())?.len() == 0 {
        file.write_all(br#"{"imageLayoutVersion":"1.0.0"}"#).during("write", path.display())?;
    }
    Ok(file)
}

/// Reads the list. A layout without one is empty.
pub(crate) fn read(layout: &Path) -> Result<Vec<Entry>> {
    let path = layout.join("index.json");
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        answer => answer.during("read", path.display())?,
    };
    let index: Index = serde_json::from_slice(&bytes).during("read", path.display())?;
    let mut entries: Vec<Entry> = Vec::new();
    for mut manifest in index.manifests {
        let annotations = std::mem::take(&mut manifest.annotations);
        let name = annotations.get(IMAGE_NAME).or(annotations.get(REF_NAME)).and_then(|name| name.parse().ok());
        let hidden = annotations.contains_key(HIDDEN);
        match entries.iter_mut().find(|entry| entry.manifest.digest == manifest.digest) {
            Some(entry) => entry.names.extend(name),
            None => entries.push(Entry { manifest, names: name.into_iter().collect(), hidden }),
        }
    }
    Ok(entries)
}

/// Writes the list, all or nothing.
/// A reader without the lock (skopeo, a person) sees the old list or the new one. It is indented for the person.
pub(crate) fn write(layout: &Path, entries: &[Entry]) -> Result<()> {
    let manifests = entries.iter().flat_map(lines).collect();
    let index = Index { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests };
    let text = serde_json::to_vec_pretty(&index).step("write the list of images")?;
    let (path, temporary) = (layout.join("index.json"), layout.join("index.json.new"));
    let done = File::create(&temporary).and_then(|mut file| {
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(&temporary, &path)
    });
    if done.is_err() {
        // The list on the disk is still the old one; only the attempt is in the way.
        let _ = fs::remove_file(&temporary);
    }
    Ok(done.during("write", path.display())?)
}

/// The lines of one image.
/// An entry as the lines of the list that [`read`] makes it of again.
fn lines(entry: &Entry) -> Vec<Descriptor> {
    let line = |annotations: &[(&str, String)]| Descriptor {
        annotations: annotations.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        ..entry.manifest.clone()
    };
    if entry.hidden {
        return vec![line(&[(HIDDEN, "true".to_owned())])];
    }
    if entry.names.is_empty() {
        return vec![line(&[])];
    }
    let named = |name: &Reference| {
        let full = name.to_string();
        // A name with a digest is no tag that could be copied from, so only we have to know it.
        match name.digest() {
            Some(_) => line(&[(IMAGE_NAME, full)]),
            None => line(&[(REF_NAME, full.clone()), (IMAGE_NAME, full)]),
        }
    };
    entry.names.iter().map(named).collect()
}
