//! Pause and unpause: the cgroup's freezer stops every process of a container where it stands.
//!
//! What stands still cannot die, so a pause must never win against a kill. Whoever sends SIGKILL says so in the container's
//! life first and thaws afterwards; a pause looks at that as long as it freezes, and gives up. The two meet at
//! [`Container::freezer`], a lock that nobody holds while he waits for a program to end.

use std::sync::Arc;

use cgroups::{Cgroup, Hierarchies};
use namespaces::Failure;
use rustix::io::Errno;

use super::container::Container;
use super::plan::cgroup_path;
use super::record::Status;
use super::{Containers, blocking, whole};
use crate::error::{Error, Result};

impl Containers {
    /// Freezes a container.
    ///
    /// # Errors
    /// 409 when it does not run, or is frozen already.
    pub async fn pause(&self, name: &str) -> Result<()> {
        let (this, container) = (self.clone(), self.find(name)?);
        whole(async move {
            let _turn = container.turn.lock().await;
            match container.status() {
                Status::Running if !container.is_killed() => {}
                Status::Paused => return Err(Error::conflict(format!("Container {} is already paused", container.id))),
                _ => return Err(Error::conflict(format!("Container {} is not running", container.id))),
            }
            this.freeze(&container).await?;
            container.change(|life| life.state.status = Status::Paused);
            container.keep();
            this.tell(&container, "pause", &[]);
            Ok(())
        })
        .await
    }

    /// Lets a frozen container go on.
    ///
    /// # Errors
    /// 409 when it is not frozen.
    pub async fn unpause(&self, name: &str) -> Result<()> {
        let (this, container) = (self.clone(), self.find(name)?);
        whole(async move {
            let _turn = container.turn.lock().await;
            if container.status() != Status::Paused {
                return Err(Error::conflict(format!("Container {} is not paused", container.id)));
            }
            this.thaw(&container).await?;
            container.change(|life| life.state.status = Status::Running);
            container.keep();
            this.tell(&container, "unpause", &[]);
            Ok(())
        })
        .await
    }

    /// Freezes it, unless it is about to end.
    async fn freeze(&self, container: &Arc<Container>) -> Result<()> {
        let watched = Arc::clone(container);
        let _freezer = container.freezer.lock().await;
        let frozen = self.with_cgroup(container, move |cgroup| cgroup.freeze_while(|| !watched.is_killed())).await;
        frozen.map_err(|error| if container.is_killed() { container.not_running() } else { error })
    }

    /// Lets its processes go on, whether they stand or not.
    pub(super) async fn thaw(&self, container: &Arc<Container>) -> Result<()> {
        let _freezer = container.freezer.lock().await;
        self.with_cgroup(container, Cgroup::thaw).await
    }

    /// Does something to the container's cgroup, on a thread that may wait.
    pub(super) async fn with_cgroup<T: Send + 'static>(
        &self,
        container: &Arc<Container>,
        work: impl FnOnce(&Cgroup) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let path = cgroup_path(&container.asked(), &self.shared.config.cgroup_parent);
        let container = Arc::clone(container);
        blocking(move || {
            let hierarchies = Hierarchies::discover()?;
            let open = || Cgroup::open(&hierarchies, &path);
            // The monitor removes it when the program has ended, maybe in this moment.
            let is_gone = || open().is_err_and(|failure| failure.is(Errno::NOENT));
            open()
                .and_then(|cgroup| work(&cgroup))
                .map_err(|failure| if is_gone() { container.not_running() } else { container.blame(failure) })
        })
        .await
    }
}
