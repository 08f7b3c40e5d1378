//! `docker diff`: what a container has changed in its root, read from its writable layer.

use std::path::Path;
use std::sync::Arc;

use bollard_stubs::models::{ChangeType, FilesystemChange};
use unionfs::{Change, ChangeKind};

use super::container::Container;
use super::plan::files;
use super::{Containers, blocking};
use crate::error::Result;

impl Containers {
    /// Every path that a container has added, changed or deleted, sorted.
    ///
    /// # Errors
    /// 404.
    pub async fn changes(&self, name: &str) -> Result<Vec<FilesystemChange>> {
        let container = self.find(name)?;
        let show = |change: Change| FilesystemChange {
            path: change.path.display().to_string(),
            kind: match change.kind {
                ChangeKind::Changed => ChangeType::_0,
                ChangeKind::Added => ChangeType::_1,
                ChangeKind::Deleted => ChangeType::_2,
            },
        };
        Ok(self.changed(&container).await?.into_iter().map(show).collect())
    }

    /// The same as the chapter has it.
    pub(super) async fn changed(&self, container: &Arc<Container>) -> Result<Vec<Change>> {
        let image = self.shared.images.store().get(&container.asked().image)?;
        let (upper, lowers) = (container.places.upper(), self.shared.images.lowers(&image));
        blocking(move || {
            // It was never started.
            if !upper.exists() {
                return Ok(Vec::new());
            }
            Ok(without_ours(unionfs::changes(&upper, &lowers)?))
        })
        .await
    }
}

/// Without the places that the engine made to mount on, and without the directories that changed by that alone.
fn without_ours(mut changes: Vec<Change>) -> Vec<Change> {
    let (ours, theirs): (Vec<_>, Vec<_>) = changes.drain(..).partition(|change| is_ours(&change.path));
    let only_ours = |change: &Change| {
        let below = |other: &&Change| other.path != change.path && other.path.starts_with(&change.path);
        change.kind == ChangeKind::Changed
            && ours.iter().any(|other| below(&other))
            && !theirs.iter().any(|other| below(&other))
    };
    theirs.iter().filter(|change| !only_ours(change)).cloned().collect()
}

/// Whether something is a place that the engine made to mount on, and no work of the container.
pub(super) fn is_ours(path: &Path) -> bool {
    let etc = files::NAMES.iter().any(|name| Path::new("/etc").join(name) == path);
    etc || ["/dev", "/proc", "/sys"].iter().any(|place| path.starts_with(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_made_to_mount_on_is_no_change() {
        let change = |kind, path: &str| Change { path: path.into(), kind };
        let (changed, added) = (ChangeKind::Changed, ChangeKind::Added);
        let all = vec![
            change(changed, "/dev"),
            change(added, "/dev/console"),
            change(changed, "/etc"),
            change(added, "/etc/hosts"),
            change(added, "/hello"),
            change(added, "/proc"),
        ];
        assert_eq!(without_ours(all.clone()), [change(added, "/hello")]);
        let more = [all, vec![change(added, "/etc/mine")]].concat();
        let kept: Vec<_> = without_ours(more).iter().map(ToString::to_string).collect();
        assert_eq!(kept, ["C /etc", "A /hello", "A /etc/mine"]);
    }
}
