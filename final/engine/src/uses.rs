//! Who uses what: the containers' records, asked by those who remove images, volumes and networks.

use ::images::Digest;
use bollard_stubs::models::ContainerSummary;

use crate::engine::Engine;
use crate::error::Result;

/// How many containers there are, by what `docker info` tells apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) all: usize,
    pub(crate) running: usize,
    pub(crate) paused: usize,
}

impl Engine {
    /// The images of all containers, each with its container's short id.
    pub(crate) fn images_in_use(&self) -> Vec<(Digest, String)> {
        Vec::new()
    }

    /// The named volumes of all containers, each with its container's id.
    pub(crate) fn volumes_in_use(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// What a container is called, without a slash.
    pub(crate) fn container_name(&self, _id: &str) -> Option<String> {
        None
    }

    /// The containers with the sizes of their writable layers.
    pub(crate) async fn containers_usage(&self) -> Result<Vec<ContainerSummary>> {
        Ok(Vec::new())
    }

    pub(crate) fn count_containers(&self) -> Counts {
        Counts::default()
    }
}
