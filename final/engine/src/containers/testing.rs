//! Values for tests.

use bollard_stubs::models::{ContainerConfig, HostConfig};
use images::{Digest, ImageConfig};
use jiff::Timestamp;

use super::record::Asked;
use super::request::{defaults, merge};
use crate::networks::Wishes;

/// What is asked for by a request that says only which program to run.
pub(crate) fn asked(id: &str, name: &str) -> Asked {
    request(id, name, ContainerConfig::default(), HostConfig::default())
}

/// What a request comes to, with an image that says nothing. The program is `true` unless the request has one.
pub(crate) fn request(id: &str, name: &str, config: ContainerConfig, mut host: HostConfig) -> Asked {
    let mut image = ImageConfig::default();
    image.config.cmd = Some(vec!["true".into()]);
    let mut config = merge::with_image(config, &image).unwrap();
    defaults::fill_host(&mut host, &crate::config::Defaults::default());
    defaults::fill_hostname(&mut config, &host, id);
    Asked {
        id: id.into(),
        name: name.into(),
        created: Timestamp::UNIX_EPOCH,
        image: Digest::of(b"image"),
        config,
        host,
        networks: Wishes::default(),
        mounts: Vec::new(),
    }
}
