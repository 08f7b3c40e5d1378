//! The files of an image as a mount: `--mount type=image,source=debian,target=/d`.
//!
//! The image's layers are on the disk, and containers stand on them. For a mount they are put together once more, as an
//! overlay without an upper directory: nothing is copied, and nothing can be written, whoever asks for it. One layer alone
//! needs no overlay (which would refuse it) and is a read-only bind.
//!
//! ```text
//! container's root    overlay    upper  + layers of its own image
//! └── /d              overlay             layers of the other image
//!     └── …/part      (with image-subpath: this directory or file alone)
//! ```
//!
//! Which layers an image has, the store of chapter 6 knows. So they are given to [`attach_image`] by whoever has it.

use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use namespaces::mount::{Attributes, Source, attach, new_file_system};
use namespaces::{Context as _, Mount, Propagation, Result, Root};
use rustix::mount::UnmountFlags;
use unionfs::Digest;

use crate::attachment::{Attachment, Origin};
use crate::request::ImageFiles;

/// What to mount at `target` for the image `id` with the layer directories `lowers`, the top one first.
///
/// ```
/// use volumes::{ImageFiles, attach_image};
/// let wanted = ImageFiles { image: "debian".into(), subpath: None };
/// let lowers = vec!["/layers/b/diff".into(), "/layers/a/diff".into()];
/// let attachment = attach_image("/d".as_ref(), &wanted, unionfs::Digest::of(b""), lowers);
/// assert!(attachment.mount.attributes.readonly);
/// ```
pub fn attach_image(target: &Path, wanted: &ImageFiles, id: Digest, mut lowers: Vec<PathBuf>) -> Attachment {
    let source = match (lowers.pop(), lowers.is_empty()) {
        (Some(path), true) => Source::Bind { path, recursive: false },
        (bottom, _) => {
            let lower = |path: PathBuf| format!("lowerdir+={}", path.display());
            Source::New { kind: "overlay".to_owned(), options: lowers.into_iter().chain(bottom).map(lower).collect() }
        }
    };
    let propagation = Some(Propagation::Private);
    let attributes = Attributes { readonly: true, propagation, ..Attributes::default() };
    let origin = Origin::Image { name: wanted.image.clone(), id, subpath: wanted.subpath.clone() };
    Attachment { mount: Mount { target: target.to_path_buf(), source, attributes }, origin }
}

/// Does `work` with the overlay of `options`.
///
/// A part of a mount can be cloned only if the mount is attached somewhere in this namespace (before Linux 6.15). So it is
/// put over the container's root for that moment: `root` is a descriptor and still means what is below.
pub(crate) fn with_overlay(options: &[String], root: &Root, work: impl FnOnce(&Root) -> Result<()>) -> Result<()> {
    let overlay = new_file_system("overlay", options, Attributes::default())?;
    let step = "mount the image for a moment";
    attach(&overlay, root).step(step)?;
    let path = format!("/proc/self/fd/{}", overlay.as_raw_fd());
    let image = Root::from_fd(overlay);
    let worked = work(&image);
    rustix::mount::unmount(path, UnmountFlags::DETACH).step(step)?;
    worked
}
