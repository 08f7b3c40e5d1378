//! The end of a container. Its name is free and the answer is given as soon as the record is out of the way; what takes time
//! is deleted afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cgroups::{Cgroup, Hierarchies};
use namespaces::{Context, Failure};
use rustix::io::Errno;

use super::container::Container;
use super::plan::cgroup_path;
use super::{Containers, blocking, whole};
use crate::engine::directory;
use crate::error::{Error, Result};

/// Where removed containers wait for their deletion, below the data root: beside `containers`, so that nothing in it can be
/// taken for a container, and on the same file system, so that getting there is one rename(2).
pub(super) const TRASH: &str = "trash";

impl Containers {
    /// Removes a container; one that runs is killed for it with `force`. With `volumes` its anonymous volumes too.
    ///
    /// # Errors
    /// 409 in docker's words when it runs.
    pub async fn remove(&self, name: &str, force: bool, volumes: bool) -> Result<()> {
        let (this, container) = (self.clone(), self.find(name)?);
        let status = container.status();
        if status.is_going() && !force {
            let (name, word) = (container.name(), status.as_str());
            let advice = match word {
                "paused" => "unpause and then stop the container before removing or force remove",
                _ => "stop the container before removing or force remove",
            };
            return Err(Error::conflict(format!("cannot remove container \"/{name}\": container is {word}: {advice}")));
        }
        whole(async move {
            container.change(|life| (life.removing, life.state.stopped) = (true, true));
            let ended = this.end(&container, Some(9), None).await;
            let _turn = container.turn.lock().await;
            if let Err(error) = ended {
                container.change(|life| life.removing = life.gone);
                return Err(error);
            }
            this.dispose(&container, volumes).await;
            Ok(())
        })
        .await
    }

    /// Takes a container that does not run out of everything. The caller has its turn.
    pub(super) async fn dispose(&self, container: &Arc<Container>, volumes: bool) {
        if container.watch().borrow().gone {
            return;
        }
        container.change(|life| life.removing = true);
        let trashed = self.to_trash(&container.places.record, &container.id);
        if let Err(failure) = &trashed {
            tracing::warn!("{failure}");
        }
        // First, so that of two that go at once the later one finds the volume that they shared used by nobody.
        self.index().remove(&container.id);
        if volumes {
            self.remove_volumes(container).await;
        }
        self.forget_execs(&container.id);
        container.change(|life| life.gone = true);
        drop(container.take_waiting());
        self.tell(container, "destroy", &[]);
        let cgroup = cgroup_path(&container.asked(), &self.shared.config.cgroup_parent);
        let (this, container) = (self.clone(), Arc::clone(container));
        tokio::spawn(async move {
            delete(container, cgroup, trashed.ok()).await;
            this.release_image().await;
        });
    }

    /// Lets an image go that was removed before the last of its containers.
    async fn release_image(&self) {
        let this = self.clone();
        if let Err(error) = blocking(move || this.shared.images.collect(|| this.images_in_use())).await {
            tracing::warn!("{error}");
        }
    }

    fn to_trash(&self, record: &Path, id: &str) -> Result<PathBuf, Failure> {
        let trash = self.shared.config.data_root.join(TRASH).join(id);
        match fs::rename(record, &trash) {
            Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
                let _ = directory(&self.shared.config.data_root.join(TRASH), 0o700);
                fs::rename(record, &trash).during("move away", record.display())?;
            }
            moved => moved.during("move away", record.display())?,
        }
        Ok(trash)
    }

    /// Removes the anonymous volumes that no other container uses.
    async fn remove_volumes(&self, container: &Container) {
        let asked = container.asked();
        let others = self.index().all();
        let has = |other: &Container, name: &str| other.asked().mounts.iter().any(|each| each.volume() == Some(name));
        let used = |name: &str| others.iter().any(|other| has(other, name));
        let anonymous = asked.mounts.iter().filter(|mounted| mounted.anonymous).filter_map(|mounted| mounted.volume());
        for name in anonymous.filter(|name| !used(name)).map(str::to_owned) {
            let volumes = Arc::clone(&self.shared.volumes);
            if let Err(error) = blocking(move || volumes.discard(&name)).await {
                tracing::warn!("{error}");
            }
        }
    }
}

/// Deletes what is left of a container, once its monitor has let go of it. The cgroup goes first: as long as the trash is
/// there, the next engine knows that something is left to do.
async fn delete(container: Arc<Container>, cgroup: PathBuf, trashed: Option<PathBuf>) {
    let _ = container.watch().wait_for(|life| !life.monitored).await;
    let run = container.places.run.clone();
    drop(container);
    let deleted = blocking(move || {
        clear_cgroup(&cgroup)?;
        for directory in trashed.iter().chain([&run]) {
            remove_tree(directory)?;
        }
        Ok(())
    });
    if let Err(error) = deleted.await {
        tracing::warn!("{error}");
    }
}

/// Ends what is left in the cgroup of a container whose program has ended, and removes it, should its monitor not have done
/// so: an exec that was on its way into the container is in the cgroup already and not yet in the pid namespace, whose end
/// takes everybody else along.
pub(super) fn clear_cgroup(path: &Path) -> Result<(), Failure> {
    Cgroup::destroy(&Hierarchies::discover()?, path)
}

/// Removes a directory and all below it. One that is gone already is what was wanted.
pub(super) fn remove_tree(directory: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.during("remove", directory.display()),
    }
}
