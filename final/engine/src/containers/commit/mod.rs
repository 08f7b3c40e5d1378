//! `docker commit`: what a container has changed becomes the top layer of a new image.
//!
//! 1. `config.rs`: the new image's configuration. Pure.
//! 2. `layout.rs`: the new image as an archive that the image store loads like any other. Only the new layer is in it; the
//!    layers below are in the store already.

mod config;
mod layout;

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use bollard_stubs::models::ContainerConfig;
use cgroups::Cgroup;
use images::Reference;
use namespaces::Context;
use rustix::fs::{CWD, Mode, OFlags, openat};
use unionfs::{Hashing, pack_layer};

use self::layout::Layer;
use super::changes::is_ours;
use super::container::Container;
use super::record::Status;
use super::{Containers, blocking, whole};
use crate::error::{Error, Kind, Result};

/// What `POST /commit` asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommitOptions {
    /// The container.
    pub container: String,
    /// Name of the image; `None` gives it none.
    pub repository: Option<String>,
    /// Its tag; `latest` by default.
    pub tag: Option<String>,
    /// Who made it.
    pub author: String,
    /// A remark.
    pub comment: String,
    /// Freeze the container meanwhile.
    pub pause: bool,
    /// Instructions of a Dockerfile.
    pub changes: Vec<String>,
    /// Takes the place of the container's own configuration, where it says something.
    pub config: Option<ContainerConfig>,
}

impl Containers {
    /// Makes an image of a container and what it has changed. Returns the image's id.
    ///
    /// # Errors
    /// 404; 400 for a name or an instruction that cannot be; 409 when it is being removed.
    pub async fn commit(&self, options: CommitOptions) -> Result<String> {
        let (this, container) = (self.clone(), self.find(&options.container)?);
        let name = options.repository.as_deref().map(|name| reference(name, options.tag.as_deref())).transpose()?;
        whole(async move {
            let turn = container.turn.lock().await;
            if container.watch().borrow().removing {
                return Err(super::marked_for_removal(&container));
            }
            let frozen = options.pause && container.status() == Status::Running && this.stand_still(&container).await?;
            let packed = this.pack(&container).await;
            if frozen {
                this.thaw(&container).await?;
            }
            drop(turn);
            let reference = name.as_ref().map(Reference::familiar).unwrap_or_default();
            let comment = options.comment.clone();
            let image = this.make_image(&container, packed?, options, name).await?;
            let more = [("comment", comment), ("imageID", image.clone()), ("imageRef", reference)];
            this.tell(&container, "commit", &more);
            Ok(image)
        })
        .await
    }

    /// Freezes a container. `false` when its program has just ended, and nothing changes any more anyway.
    async fn stand_still(&self, container: &Arc<Container>) -> Result<bool> {
        match self.with_cgroup(container, Cgroup::freeze).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == Kind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The writable layer as an archive in a file without a name; `None` when nothing has changed.
    async fn pack(&self, container: &Arc<Container>) -> Result<Option<Layer>> {
        if self.changed(container).await?.is_empty() {
            return Ok(None);
        }
        let (upper, directory) = (container.places.upper(), self.shared.config.data_root.clone());
        blocking(move || {
            let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
            let file = openat(CWD, &directory, flags, Mode::RUSR | Mode::WUSR);
            let mut file = File::from(file.during("make a file for the layer in", directory.display())?);
            let mut writer = BufWriter::with_capacity(1 << 17, Hashing::new(&mut file));
            pack_layer(&upper, &mut writer, &|path| is_ours(&Path::new("/").join(path)))?;
            let hashing = writer.into_inner().map_err(std::io::IntoInnerError::into_error).step("write the layer")?;
            let (diff_id, size) = hashing.finish();
            file.seek(SeekFrom::Start(0)).step("go to the beginning of the layer")?;
            Ok(Some(Layer { file, diff_id, size }))
        })
        .await
    }

    /// The image, from the container's own image and the new layer.
    async fn make_image(
        &self,
        container: &Arc<Container>,
        layer: Option<Layer>,
        options: CommitOptions,
        name: Option<Reference>,
    ) -> Result<String> {
        let (images, asked) = (Arc::clone(&self.shared.images), container.asked());
        blocking(move || {
            let base = images.store().get(&asked.image)?;
            let config = config::of(&base.config, &asked.config, layer.as_ref().map(|layer| layer.diff_id), &options)?;
            let manifest = images.store().blobs().open_blob(&base.manifest.digest)?;
            let archive = layout::archive(manifest, &config, layer, name.as_ref())?;
            let made = images.store().load(archive, &|_| {})?;
            let id = made.first().map(|image| image.id.to_string());
            id.ok_or_else(|| Error::internal("the store has made no image of the container"))
        })
        .await
    }
}

/// The name and the tag that the API gives apart.
fn reference(name: &str, tag: Option<&str>) -> Result<Reference> {
    let text = tag.map_or_else(|| name.to_owned(), |tag| format!("{name}:{tag}"));
    let reference: Reference = text.parse()?;
    if reference.digest().is_some() {
        return Err(Error::invalid(format!("refusing to create a tag with a digest reference: {text}")));
    }
    Ok(reference.or_latest())
}
