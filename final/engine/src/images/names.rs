//! Tag, remove, prune: which names lead to which image, and the end of an image with its last name.

use std::sync::Arc;
use std::time::Duration;

use ::images::{Removed, User};
use bollard_stubs::models::{ImageDeleteResponseItem, ImagePruneResponse};

use super::Images;
use super::transfer::reference;
use super::view::{created, is_dangling, labels};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::filters::Filters;

impl Engine {
    /// Gives the image `name` another name.
    pub async fn tag_image(&self, name: &str, repository: &str, tag: Option<&str>) -> Result<()> {
        let new = reference(repository, tag)?.or_latest();
        if new.familiar_name() == "sha256" {
            return Err(Error::invalid("refusing to create an ambiguous tag using digest algorithm as name"));
        }
        let image = self.images.find(name)?;
        self.images
            .blocking(move |images| {
                images.store.tag(&image.id, &new)?;
                images.tell("tag", &image.id.to_string(), &new.familiar());
                Ok(())
            })
            .await
    }

    /// Takes the name away, and with the last name the image and the layers that nobody else uses.
    ///
    /// # Errors
    /// 404, or 409 when a container uses the image and it would lose its last name; `force` removes the names all the same.
    pub async fn remove_image(&self, name: &str, force: bool) -> Result<Vec<ImageDeleteResponseItem>> {
        let used = self.images_in_use();
        let name = name.to_owned();
        self.images.blocking(move |images| images.remove(&name, force, &used)).await
    }

    /// Removes the images without a name (`dangling=false`: all) that no container uses. Filters: `dangling`, `label`,
    /// `until`.
    pub async fn prune_images(&self, filters: &Filters) -> Result<ImagePruneResponse> {
        filters.only(&["dangling", "label", "label!", "until"])?;
        let all = filters.flag("dangling")? == Some(false);
        let until = filters.until()?;
        let used = self.images_in_use();
        let unused = |image: &::images::Image| {
            (all || is_dangling(image))
                && !used.iter().any(|user| user.image == image.id)
                && filters.labels(&labels(image))
                && until.is_none_or(|until| created(image) < until)
        };
        let images: Vec<_> = self.images.store.list().into_iter().filter(unused).collect();
        let space = images.iter().map(|image| image.size).sum::<u64>();
        let used = used.clone();
        let removed = self.images.blocking(move |store| {
            let mut removed = Vec::new();
            for image in images {
                removed.extend(store.remove(&image.id.to_string(), true, &used)?);
            }
            store.store.collect(&used)?;
            store.store.sweep(Duration::ZERO)?;
            Ok(removed)
        });
        Ok(ImagePruneResponse {
            images_deleted: Some(removed.await?),
            space_reclaimed: Some(i64::try_from(space).unwrap_or(i64::MAX)),
        })
    }
}

impl Images {
    fn remove(&self, name: &str, force: bool, used: &[User]) -> Result<Vec<ImageDeleteResponseItem>> {
        let lines = self.store.remove(name, force, used)?.into_iter().map(|removed| match removed {
            Removed::Untagged(name) => {
                self.tell("untag", &name.familiar(), &name.familiar());
                ImageDeleteResponseItem { untagged: Some(name.familiar()), deleted: None }
            }
            Removed::Deleted(digest) => {
                self.tell("delete", &digest.to_string(), &digest.to_string());
                ImageDeleteResponseItem { untagged: None, deleted: Some(digest.to_string()) }
            }
        });
        Ok(lines.collect())
    }

    /// Runs `work` on a thread that may wait for the disk.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let images = Arc::clone(self);
        tokio::task::spawn_blocking(move || work(&images)).await?
    }
}
