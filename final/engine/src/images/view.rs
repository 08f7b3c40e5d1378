//! List, inspect, history: images as the API shows them.

use std::collections::HashMap;

use ::images::{Image, ImageConfig, Reference, RunConfig, User};
use bollard_stubs::models::{
    self, DriverData, HealthConfig, HistoryResponseItem, ImageInspect, ImageInspectMetadata, ImageInspectRootFs,
    ImageSummary,
};
use jiff::Timestamp;

use super::{Images, platforms};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::filters::{Filters, glob};

impl Engine {
    /// All images that pass `filters`: `before`, `dangling`, `label`, `reference`, `since`, `until`. Newest first. With
    /// `manifests`, each with what its manifest has.
    pub fn list_images(&self, filters: &Filters, manifests: bool) -> Result<Vec<ImageSummary>> {
        filters.only(&["before", "dangling", "label", "label!", "reference", "since", "until"])?;
        let dangling = filters.flag("dangling")?;
        let until = filters.until()?;
        let edge = |name: &str| filters.get(name).first().map(|image| self.images.find(image)).transpose();
        let (before, since) = (edge("before")?, edge("since")?);
        let images = self.images.store.list().into_iter().filter(|image| {
            let moment = created(image);
            dangling.is_none_or(|wanted| wanted == is_dangling(image))
                && until.is_none_or(|until| moment < until)
                && before.as_ref().is_none_or(|edge| moment < created(edge))
                && since.as_ref().is_none_or(|edge| moment > created(edge))
                && filters.labels(&labels(image))
        });
        let used = if manifests { self.images_in_use() } else { Vec::new() };
        let described = |image: Image| {
            let summary = summary(&image, filters)?;
            let described = manifests.then(|| platforms::manifests(&image, users(&image, &used)));
            Some(ImageSummary { manifests: described, ..summary })
        };
        Ok(images.filter_map(described).collect())
    }

    /// One image, with every field that clients print.
    ///
    /// # Errors
    /// 404 when it is not here, or not for `platform`.
    pub fn inspect_image(&self, name: &str, platform: Option<&str>, manifests: bool) -> Result<ImageInspect> {
        if manifests && platform.is_some() {
            return Err(Error::invalid("conflicting options: manifests and platform options cannot both be set"));
        }
        let image = self.images.find_for(name, platform)?;
        let described = manifests.then(|| platforms::manifests(&image, users(&image, &self.images_in_use())));
        Ok(ImageInspect { manifests: described, ..self.images.inspect(&image) })
    }

    /// What each step of its build did, the last one first. Errors as for [`Engine::inspect_image`].
    pub fn image_history(&self, name: &str, platform: Option<&str>) -> Result<Vec<HistoryResponseItem>> {
        let image = self.images.find_for(name, platform)?;
        Ok(self.images.history(&image))
    }
}

/// The containers of an image, among those of all images.
fn users(image: &Image, used: &[User]) -> Vec<String> {
    used.iter().filter(|user| user.image == image.id).map(|user| user.container.clone()).collect()
}

/// Whether no name leads to it.
pub(super) fn is_dangling(image: &Image) -> bool {
    image.repo_tags.is_empty()
}

/// When it was made; the beginning of time when it does not say.
pub(super) fn created(image: &Image) -> Timestamp {
    image.created.parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(super) fn labels(image: &Image) -> HashMap<String, String> {
    image.config.config.labels.clone().into_iter().collect()
}

/// `None` when a filter by reference leaves no name of it.
fn summary(image: &Image, filters: &Filters) -> Option<ImageSummary> {
    let named = |names: &[Reference]| {
        let wanted = |name: &&Reference| filters.any("reference", |pattern| matches(pattern, name));
        names.iter().filter(wanted).map(Reference::familiar).collect::<Vec<_>>()
    };
    let (repo_tags, repo_digests) = (named(&image.repo_tags), named(&image.repo_digests));
    if repo_tags.is_empty() && repo_digests.is_empty() && !filters.get("reference").is_empty() {
        return None;
    }
    Some(ImageSummary {
        id: image.id.to_string(),
        parent_id: String::new(),
        repo_tags,
        repo_digests,
        created: created(image).as_second(),
        size: size(image.size),
        // Not computed, as docker says it.
        shared_size: -1,
        containers: -1,
        labels: labels(image),
        descriptor: Some(platforms::descriptor(image)),
        ..ImageSummary::default()
    })
}

/// `reference=busybox`, `reference=busybox:1.*`: the pattern is for the whole name or for the name without its tag.
fn matches(pattern: &str, name: &Reference) -> bool {
    [name.familiar(), name.familiar_name(), name.to_string()].iter().any(|name| glob(pattern, name))
}

impl Images {
    fn inspect(&self, image: &Image) -> ImageInspect {
        let ImageConfig { author, architecture, variant, os, config, rootfs, history, other, .. } =
            image.config.clone();
        let text = |name: &str| other.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let layers = rootfs.diff_ids.iter().map(ToString::to_string).collect();
        ImageInspect {
            id: Some(image.id.to_string()),
            repo_tags: Some(image.repo_tags.iter().map(Reference::familiar).collect()),
            repo_digests: Some(image.repo_digests.iter().map(Reference::familiar).collect()),
            parent: Some(String::new()),
            comment: Some(history.last().map(|step| step.comment.clone()).unwrap_or_default()),
            created: Some(image.created.clone()).filter(|text| !text.is_empty()),
            docker_version: Some(text("docker_version")),
            author: Some(author),
            config: Some(show_config(&config)),
            architecture: Some(architecture),
            variant: Some(variant).filter(|variant| !variant.is_empty()),
            os: Some(os),
            os_version: Some(text("os.version")).filter(|version| !version.is_empty()),
            size: Some(size(image.size)),
            graph_driver: Some(DriverData { name: "overlayfs".into(), data: self.directories(image) }),
            root_fs: Some(ImageInspectRootFs { typ: "layers".into(), layers: Some(layers) }),
            metadata: Some(ImageInspectMetadata { last_tag_time: None }),
            descriptor: Some(platforms::descriptor(image)),
            ..ImageInspect::default()
        }
    }

    /// Where its layers are: docker's keys for the overlay driver.
    fn directories(&self, image: &Image) -> HashMap<String, String> {
        let mut lowers = self.lowers(image).into_iter().map(|path| path.display().to_string());
        let upper = lowers.next().unwrap_or_default();
        let lower: Vec<_> = lowers.collect();
        let mut data = HashMap::from([("UpperDir".to_owned(), upper)]);
        if !lower.is_empty() {
            data.insert("LowerDir".to_owned(), lower.join(":"));
        }
        data
    }

    fn history(&self, image: &Image) -> Vec<HistoryResponseItem> {
        let mut layers = image.layers.iter();
        let mut steps: Vec<_> = image
            .config
            .history
            .iter()
            .map(|step| {
                let layer = if step.empty_layer { None } else { layers.next() };
                let bytes = layer.and_then(|layer| self.store.layers().get(layer)).map_or(0, |layer| layer.size);
                let moment = step.created.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
                HistoryResponseItem {
                    id: "<missing>".into(),
                    created: moment.unwrap_or(Timestamp::UNIX_EPOCH).as_second(),
                    created_by: step.created_by.clone(),
                    tags: Vec::new(),
                    size: size(bytes),
                    comment: step.comment.clone(),
                }
            })
            .collect();
        steps.reverse();
        if let Some(last) = steps.first_mut() {
            last.id = image.id.to_string();
            last.tags = image.repo_tags.iter().map(Reference::familiar).collect();
        }
        steps
    }
}

/// The API counts bytes in signed numbers.
pub(super) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The image's own configuration as the API's type.
fn show_config(config: &RunConfig) -> models::ImageConfig {
    #[expect(clippy::zero_sized_map_values, reason = "the type is the API's")]
    let keys = |map: &std::collections::BTreeMap<String, serde_json::Value>| {
        let map: HashMap<_, _> = map.keys().map(|key| (key.clone(), HashMap::default())).collect();
        Some(map).filter(|map| !map.is_empty())
    };
    models::ImageConfig {
        user: Some(config.user.clone()),
        exposed_ports: keys(&config.exposed_ports),
        env: Some(config.env.clone()),
        cmd: config.cmd.clone(),
        healthcheck: config.healthcheck.as_ref().map(|check| HealthConfig {
            test: Some(check.test.clone()),
            interval: Some(check.interval),
            timeout: Some(check.timeout),
            retries: Some(check.retries),
            start_period: Some(check.start_period),
            start_interval: Some(check.start_interval),
        }),
        volumes: keys(&config.volumes),
        working_dir: Some(config.working_dir.clone()),
        entrypoint: config.entrypoint.clone(),
        on_build: config.on_build.clone(),
        labels: Some(config.labels.clone().into_iter().collect()),
        stop_signal: Some(config.stop_signal.clone()).filter(|signal| !signal.is_empty()),
        stop_timeout: config.stop_timeout,
        shell: config.shell.clone(),
        ..models::ImageConfig::default()
    }
}
