//! `docker import`: the archive of a root file system becomes an image of one layer.
//!
//! The other way to an image, without a builder: `debootstrap`, `tar`, `import`. What the archive cannot say (the
//! program, the environment) is said by `--change`.
//!
//! The layer's digest is known only when it has been read, so here everything else waits for it: the configuration
//! names the layer, the manifest names the configuration.

use std::io::Read;

use crate::changes::apply_changes;
use crate::config::{History, ImageConfig};
use crate::error::Result;
use crate::image::{Event, Image, Import};
use crate::load::Spool;
use crate::manifest::Descriptor;
use crate::store::Store;
use crate::unpack::{Tee, unpack};

/// ```no_run
/// use images::Import;
/// # let store = images::Store::open(std::path::Path::new("/var/lib/skiff"))?;
/// let archive = std::fs::File::open("debian.tar").unwrap();
/// let import = Import { name: Some("debian:trixie".parse()?), changes: vec!["CMD bash".into()], message: None };
/// println!("{}", store.import(archive, import)?.id);
/// # Ok::<(), images::Error>(())
/// ```
impl Store {
    /// Makes an image of one layer from a tar archive of a root file system, compressed or not.
    pub fn import(&self, archive: impl Read + Send, import: Import) -> Result<Image> {
        let mut config = ImageConfig::new(Vec::new());
        apply_changes(&mut config.config, &import.changes)?;
        let mut blob = self.blobs.writer()?;
        let unpacked = unpack(Tee { reader: archive, blob: &mut blob }, &self.layers)?;
        let blob = blob.finish()?;
        let (digest, size, diff_id) = (blob.digest, blob.size, unpacked.diff_id);
        let kind = unpacked.compression.media_type();
        config.rootfs.diff_ids = vec![diff_id];
        config.history = vec![History {
            created: config.created.clone(),
            comment: import.message.unwrap_or_else(|| "Imported from -".to_owned()),
            ..History::default()
        }];
        let names: Vec<_> = import.name.into_iter().map(crate::Reference::or_latest).collect();
        self.keeping(
            &[digest, diff_id],
            |_| true,
            || {
                unpacked.directory.finish(None, diff_id, unpacked.stats)?;
                blob.keep()?;
                let layers = vec![Descriptor::new(kind, digest, size)];
                self.assemble(Spool::new(&self.blobs), &config, layers, &names, &|_: Event| {})
            },
        )
    }
}
