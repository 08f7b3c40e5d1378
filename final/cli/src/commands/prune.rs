//! What all `prune` commands have in common: ask whether it is meant, let the daemon do it, say what is gone.

use serde::Deserialize;

use super::image::rm::Removed;
use super::{DONE, Exit};
use crate::client::{Client, Request};
use crate::error::Result;
use crate::output::{self, labels, units};

/// A kind of thing that can be left over.
pub(super) struct Unused {
    /// Where the daemon is asked to remove them.
    path: &'static str,
    /// What stands above their names.
    heading: &'static str,
    /// Their names in the answer.
    names: fn(Pruned) -> Vec<String>,
}

/// Containers that do not run.
pub(super) const CONTAINERS: Unused = Unused {
    path: "/containers/prune",
    heading: "Deleted Containers:",
    names: |pruned| pruned.containers_deleted.unwrap_or_default(),
};

/// Networks that no container is in.
pub(super) const NETWORKS: Unused = Unused {
    path: "/networks/prune",
    heading: "Deleted Networks:",
    names: |pruned| pruned.networks_deleted.unwrap_or_default(),
};

/// Volumes that no container has.
pub(super) const VOLUMES: Unused = Unused {
    path: "/volumes/prune",
    heading: "Deleted Volumes:",
    names: |pruned| pruned.volumes_deleted.unwrap_or_default(),
};

/// Images that no container is made of.
pub(super) const IMAGES: Unused = Unused {
    path: "/images/prune",
    heading: "Deleted Images:",
    names: |pruned| pruned.images_deleted.unwrap_or_default().iter().map(Removed::lower).collect(),
};

/// What was kept for the next build.
pub(super) const BUILD_CACHE: Unused = Unused {
    path: "/build/prune",
    heading: "Deleted build cache objects:",
    names: |pruned| pruned.caches_deleted.unwrap_or_default(),
};

/// The daemon's answer. Each kind of thing has its own list in it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Pruned {
    containers_deleted: Option<Vec<String>>,
    networks_deleted: Option<Vec<String>>,
    volumes_deleted: Option<Vec<String>>,
    images_deleted: Option<Vec<Removed>>,
    caches_deleted: Option<Vec<String>>,
    space_reclaimed: i64,
}

impl Unused {
    /// The whole command, but for its flags.
    pub(super) async fn command(
        &self,
        client: &Client,
        warning: &str,
        force: bool,
        filters: &[(String, String)],
    ) -> Result<Exit> {
        if force || output::confirm(warning)? {
            let (text, space) = self.remove(client, filters).await?;
            // Networks take no space.
            let total = format!("Total reclaimed space: {}\n", units::size_exact(space));
            output::print(if self.path == NETWORKS.path { text } else { text + &total })?;
        }
        Ok(DONE)
    }

    /// Removes them; returns what to print and the space that was freed.
    pub(super) async fn remove(&self, client: &Client, filters: &[(String, String)]) -> Result<(String, i64)> {
        let request = Request::post(self.path).maybe("filters", labels::filters(filters));
        let pruned: Pruned = client.json(request).await?;
        let space = pruned.space_reclaimed;
        let names = (self.names)(pruned);
        let text = if names.is_empty() { String::new() } else { format!("{}\n{}\n\n", self.heading, names.join("\n")) };
        Ok((text, space))
    }
}
