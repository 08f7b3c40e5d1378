//! What the records of all containers say together, for those who remove images, volumes and networks.

use images::User;

use super::record::{Mounted, Status};
use super::{Containers, names};

impl Containers {
    /// All containers as users of their images, and of those that are mounted into them.
    pub(crate) fn images_in_use(&self) -> Vec<User> {
        let mut used = Vec::new();
        for container in self.index().all() {
            let (asked, id) = (container.asked(), names::short(&container.id));
            let running = matches!(container.status(), Status::Running | Status::Paused | Status::Restarting);
            let mounted = asked.mounts.iter().filter_map(Mounted::image);
            let images = [asked.image].into_iter().chain(mounted);
            used.extend(images.map(|image| User { image, container: id.to_owned(), running }));
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
