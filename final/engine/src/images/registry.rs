//! Pull and push, told as streams of [`Progress`]; and what a registry says of a name without sending the image.

use ::images::{Event, Platform, Reference, Remote, look_up, pull_for, push, tags};
use bollard_stubs::models::{DistributionInspect, OciDescriptor};
use serde_json::json;

use super::login::credentials;
use super::platforms::shown;
use super::transfer::{Progress, Telling, reference, told};
use crate::engine::Engine;
use crate::error::{Error, Result};

impl Engine {
    /// Fetches an image from its registry. `tag` may be a tag or a digest; without either, here and in the name, every tag
    /// of the repository is fetched. `login` is the header `X-Registry-Auth`.
    ///
    /// # Errors
    /// A malformed name or login at once; what the registry says comes in the stream.
    pub fn pull_image(
        &self,
        name: &str,
        tag: Option<&str>,
        platform: Option<&str>,
        login: Option<&str>,
    ) -> Result<Telling> {
        let reference = reference(name, tag)?;
        let platform = platform.map(str::parse::<Platform>).transpose()?;
        let login = credentials(login)?;
        Ok(told(&self.images, move |images, tell| {
            let (login, options) = (login.as_ref(), &*images.registries());
            let all = reference.tag().is_none() && reference.digest().is_none();
            let wanted = if all {
                let tags = tags(&reference, login, options)?;
                tags.iter().map(|tag| reference.with_tag(tag)).collect::<Result<Vec<_>, _>>()?
            } else {
                vec![reference]
            };
            for name in &wanted {
                pull_for(&images.store, name, platform.as_ref(), login, options, &|event: Event| tell(event.into()))?;
                images.tell("pull", &name.familiar(), &name.familiar_name());
            }
            Ok(())
        }))
    }

    /// Sends the image that has this name to its registry; without a tag, everything of the repository that has one.
    ///
    /// # Errors
    /// A malformed name or login at once, and that the image is not for `platform`; what the registry says, or that there is
    /// no such image, comes in the stream.
    pub fn push_image(
        &self,
        name: &str,
        tag: Option<&str>,
        platform: Option<&str>,
        login: Option<&str>,
    ) -> Result<Telling> {
        let reference = reference(name, tag)?;
        if platform.is_some() {
            self.images.find_for(&reference.familiar(), platform)?;
        }
        if reference.digest().is_some() {
            return Err(Error::invalid("cannot push a digest reference"));
        }
        let login = credentials(login)?;
        Ok(told(&self.images, move |images, tell| {
            let options = images.registries();
            for name in images.to_push(&reference)? {
                let sent = push(&images.store, &name, login.as_ref(), &options, &|event| tell(event.into()))?;
                let aux = json!({ "Tag": name.tag(), "Digest": sent.digest, "Size": sent.size });
                tell(Progress { aux: Some(aux), ..Progress::default() });
                images.tell("push", &name.familiar(), &name.familiar_name());
            }
            Ok(())
        }))
    }

    /// What a registry has under a name, and for which machines.
    pub async fn inspect_distribution(&self, name: &str, login: Option<&str>) -> Result<DistributionInspect> {
        let Remote { descriptor, platforms, .. } = self.remote(name, login).await?;
        Ok(DistributionInspect {
            descriptor: OciDescriptor {
                media_type: Some(descriptor.media_type),
                digest: Some(descriptor.digest.to_string()),
                size: i64::try_from(descriptor.size).ok(),
                ..OciDescriptor::default()
            },
            platforms: platforms.into_iter().map(shown).collect(),
        })
    }

    /// The manifest or index that a registry has under a name, byte for byte, and its media type.
    pub async fn remote_manifest(&self, name: &str, login: Option<&str>) -> Result<(String, Vec<u8>)> {
        let remote = self.remote(name, login).await?;
        Ok((remote.descriptor.media_type, remote.bytes))
    }

    async fn remote(&self, name: &str, login: Option<&str>) -> Result<Remote> {
        let (name, login) = (name.parse::<Reference>()?, credentials(login)?);
        self.blocking(move |engine| Ok(look_up(&name, login.as_ref(), &engine.images.registries())?)).await
    }
}

impl super::Images {
    /// The names that are meant, in docker's words when there are none.
    fn to_push(&self, reference: &Reference) -> Result<Vec<Reference>> {
        let images = self.store.list();
        let meant = |name: &&Reference| match reference.tag() {
            Some(_) => *name == reference,
            None => name.same_repository(reference),
        };
        let mut names: Vec<_> = images.iter().flat_map(|image| &image.repo_tags).filter(meant).cloned().collect();
        names.sort();
        if !names.is_empty() {
            return Ok(names);
        }
        let words = match reference.tag() {
            Some(_) => format!("tag does not exist: {}", reference.familiar()),
            None => format!("An image does not exist locally with the tag: {}", reference.familiar_name()),
        };
        Err(Error::not_found(words).hint("Give the image this name first: skiff tag IMAGE NAME."))
    }
}
