//! What the records of all containers say together, for those who remove images, volumes and networks.

use images::Digest;

use super::record::{Mounted, Status};
use super::{Containers, names};

impl Containers {
    /// The images of all containers and those mounted into them, each with its container's short id.
    pub(crate) fn images_in_use(&self) -> Vec<(Digest, String)> {
        let mut used = Vec::new();
        for container in self.index().all() {
            let (asked, id) = (container.asked(), names::short(&container.id));
            let mounted = asked.mounts.iter().filter_map(Mounted::image);
            used.extend([asked.image].into_iter().chain(mounted).map(|image| (image, id.to_owned())));
        }
        used
    }

    /// The volumes of all containers, by name, each with its container's id.
    pub(crate) fn volumes_in_use(&self) -> Vec<(String, String)> {
        let all = self.index().all();
        let mut used = Vec::new();
        for container in all {
            let asked = container.asked();
            let names = asked.mounts.iter().filter_map(|mounted| mounted.volume());
            used.extend(names.map(|name| (name.to_owned(), container.id.clone())));
        }
        used
    }

    /// What a container is called, without a slash.
    pub(crate) fn name_of(&self, id: &str) -> Option<String> {
        self.index().get(id).map(|container| container.name())
    }

    /// How many there are: all, running, paused.
    pub(crate) fn count(&self) -> (usize, usize, usize) {
        let all = self.index().all();
        let with = |status| all.iter().filter(|container| container.status() == status).count();
        (all.len(), with(Status::Running), with(Status::Paused))
    }
}
