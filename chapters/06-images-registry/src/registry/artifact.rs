//! Something that is no image: a chart, a signature, a model. It is fetched and kept as it came, and nothing of it is
//! unpacked: what is in it is for the tool that made it.

use std::io::Read as _;

use unionfs::Digest;

use super::pull::{Pull, THREADS};
use crate::error::Result;
use crate::image::Image;
use crate::manifest::{Descriptor, Manifest};
use crate::meter::Meter;
use crate::parallel::in_parallel;
use crate::reference::Reference;

impl Pull<'_> {
    /// Every blob that the manifest names, then the manifest, then its line in the index.
    ///
    /// # Errors
    /// As for an image: a blob that is not there, or that is not what its digest says. Nothing is kept then.
    pub(super) fn artifact(
        &self,
        manifest: &Manifest,
        bytes: &[u8],
        descriptor: &Descriptor,
        names: &[Reference],
    ) -> Result<Image> {
        let mut digests: Vec<Digest> = vec![descriptor.digest];
        let mut blobs: Vec<Descriptor> = Vec::new();
        // An artifact that needs no configuration has the same empty one as all others, and often no other blob.
        for blob in manifest.blobs() {
            if !digests.contains(&blob.digest) {
                digests.push(blob.digest);
                blobs.push(blob.clone());
            }
        }
        for blob in &blobs {
            self.tell(blob, "Pulling fs layer");
        }
        self.store.keeping(
            &digests,
            |_| true,
            || {
                in_parallel(THREADS, blobs, |blob| self.part(&blob))?;
                self.store.blobs.put(bytes)?;
                self.store.add(descriptor, names)
            },
        )
    }

    /// One blob, from the registry straight to its place.
    fn part(&self, blob: &Descriptor) -> Result<()> {
        if self.store.blobs.has(&blob.digest) {
            self.tell(blob, "Already exists");
            return Ok(());
        }
        let body = self.client.blob(blob, 0)?;
        let mut reader =
            Meter::new(body, &blob.digest.short(), "Downloading", blob.size, self.progress).take(blob.size);
        self.store.blobs.put_blob(&mut reader, &blob.digest)?;
        self.tell(blob, "Pull complete");
        Ok(())
    }
}
