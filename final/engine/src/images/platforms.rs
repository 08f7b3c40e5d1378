//! Which machine an image is for: the parameters `platform` and `manifests` of the API (1.47 to 1.49).
//!
//! The store keeps an image for one kind of machine; a pull for another takes the name along. So what is asked for by platform
//! is either what is here or is not here, and the list of an image's manifests has one line.

use ::images::{Image, Platform};
use bollard_stubs::models::{
    ImageManifestSummary, ImageManifestSummaryImageData, ImageManifestSummaryImageDataSize,
    ImageManifestSummaryKindEnum, ImageManifestSummarySize, OciDescriptor, OciPlatform,
};

use super::Images;
use super::view::size;
use crate::error::{Error, Result};

/// The platform of a request, which is JSON: `{"os": "linux", "architecture": "arm64"}`.
pub(super) fn wanted(text: &str) -> Result<Platform> {
    let bad = |error| Error::invalid(format!("failed to parse platform: {error}"));
    let platform: Platform = serde_json::from_str(text).map_err(bad)?;
    // By way of its words, so that nonsense is refused here as where people write it.
    Ok(platform.to_string().parse()?)
}

impl Images {
    /// The image that `name` means, if it is for the platform that is asked for.
    ///
    /// # Errors
    /// 404 in docker's words, when there is none of the name or it is for another platform.
    pub(super) fn find_for(&self, name: &str, platform: Option<&str>) -> Result<Image> {
        let image = self.find(name)?;
        if let Some(platform) = platform {
            image.platform().check(name, &wanted(platform)?)?;
        }
        Ok(image)
    }
}

/// What the API calls the manifests of an image: the one that is here. `used` is the containers of it.
pub(super) fn manifests(image: &Image, used: Vec<String>) -> Vec<ImageManifestSummary> {
    let content = size(image.content);
    let is_image = image.artifact.is_none();
    let unpacked = if is_image { size(image.size) } else { 0 };
    let data = is_image.then(|| ImageManifestSummaryImageData {
        platform: shown(image.platform()),
        containers: used,
        size: ImageManifestSummaryImageDataSize { unpacked },
    });
    let kind = if is_image { ImageManifestSummaryKindEnum::IMAGE } else { ImageManifestSummaryKindEnum::UNKNOWN };
    vec![ImageManifestSummary {
        id: image.manifest.digest.to_string(),
        descriptor: descriptor(image),
        available: true,
        size: ImageManifestSummarySize { total: content + unpacked, content },
        kind: Some(kind),
        image_data: data,
        attestation_data: None,
    }]
}

/// The image's manifest in the API's type.
pub(super) fn descriptor(image: &Image) -> OciDescriptor {
    OciDescriptor {
        media_type: Some(image.manifest.media_type.clone()),
        digest: Some(image.manifest.digest.to_string()),
        size: Some(size(image.manifest.size)),
        artifact_type: image.artifact.clone(),
        platform: image.artifact.is_none().then(|| shown(image.platform())),
        ..OciDescriptor::default()
    }
}

/// A platform in the API's type.
pub(super) fn shown(platform: Platform) -> OciPlatform {
    OciPlatform {
        architecture: Some(platform.architecture),
        os: Some(platform.os),
        variant: platform.variant,
        ..OciPlatform::default()
    }
}

#[cfg(test)]
mod tests {
    use super::wanted;

    #[test]
    fn a_platform_is_json() {
        let read = |text: &str| wanted(text).map(|it| it.to_string()).map_err(|error| error.message);
        assert_eq!(read(r#"{"os":"linux","architecture":"arm64","variant":"v8"}"#), Ok("linux/arm64".to_owned()));
        assert_eq!(read(r#"{"os":"linux","architecture":"amd64","OSVersion":""}"#), Ok("linux/amd64".to_owned()));
        assert!(read("linux/amd64").unwrap_err().starts_with("failed to parse platform: "));
        assert!(read("{}").unwrap_err().ends_with("cannot parse platform specifier: invalid argument"));
    }
}
