//! Who uses what: the containers' records, asked by those who remove images, volumes and networks.

use ::images::User;
use bollard_stubs::models::ContainerSummary;

use crate::containers::ListOptions;
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
    pub(crate) fn images_in_use(&self) -> Vec<User> {
        self.containers.images_in_use()
    }

    /// The named volumes of all containers, each with its container's id.
    pub(crate) fn volumes_in_use(&self) -> Vec<(String, String)> {
        self.containers.volumes_in_use()
    }

    /// What a container is called, without a slash.
    pub(crate) fn container_name(&self, id: &str) -> Option<String> {
        self.containers.name_of(id)
    }

    /// The containers with the sizes of their writable layers.
    pub(crate) async fn containers_usage(&self) -> Result<Vec<ContainerSummary>> {
        self.containers.list(&ListOptions { all: true, size: true, ..ListOptions::default() }).await
    }

    pub(crate) fn count_containers(&self) -> Counts {
        let (all, running, paused) = self.containers.count();
        Counts { all, running, paused }
    }
}
