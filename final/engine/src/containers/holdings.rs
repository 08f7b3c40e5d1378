//! Events of what a container takes when it starts and gives back when it ends: its endpoints in networks, its volumes.
//!
//! Docker tells these as events of the network and of the volume, with the container among the attributes: around `start`
//! comes `connect` before `mount`, and after `die` comes `disconnect` before `unmount`.

use network::Attachment;

use super::Containers;
use super::container::Container;
use super::record::Mounted;
use crate::events::Attributes;

impl Containers {
    /// The container is about to run with these endpoints, and with its volumes.
    pub(super) fn tell_taken(&self, container: &Container, network: &Attachment) {
        network.endpoints().iter().for_each(|endpoint| self.shared.networks.tell_connection("connect", endpoint));
        for mounted in &container.asked().mounts {
            let mount = &mounted.attachment.mount;
            let more = [
                ("destination", mount.target.display().to_string()),
                ("read/write", (!mount.attributes.readonly).to_string()),
                // Docker's volumes have none, and say so.
                ("propagation", String::new()),
            ];
            self.tell_volume(container, mounted, "mount", more);
        }
    }

    /// The container has ended, and its endpoints and volumes are free.
    pub(super) fn tell_given_back(&self, container: &Container, network: &Attachment) {
        network.endpoints().iter().for_each(|endpoint| self.shared.networks.tell_connection("disconnect", endpoint));
        for mounted in &container.asked().mounts {
            self.tell_volume(container, mounted, "unmount", []);
        }
    }

    fn tell_volume<const N: usize>(
        &self,
        container: &Container,
        mounted: &Mounted,
        action: &str,
        more: [(&str, String); N],
    ) {
        let Some(name) = mounted.volume() else { return };
        let about = [("container", container.id.clone())].into_iter().chain(more);
        let about: Attributes = about.map(|(key, value)| (key.to_owned(), value)).collect();
        self.shared.volumes.tell_with(action, name, about);
    }
}
