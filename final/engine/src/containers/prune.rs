//! Prune: every container that does not run.

use bollard_stubs::models::ContainerPruneResponse;

use super::Containers;
use super::record::Status;
use crate::error::{Kind, Result};
use crate::filters::Filters;

impl Containers {
    /// Removes all containers that do not run and pass the filters `label`, `label!`, `until`.
    pub async fn prune(&self, filters: &Filters) -> Result<ContainerPruneResponse> {
        filters.only(&["label", "label!", "until"])?;
        let until = filters.until()?;
        let (mut removed, mut space) = (Vec::new(), 0_i64);
        let all = self.index().all();
        for container in all {
            let asked = container.asked();
            let stopped = matches!(container.status(), Status::Created | Status::Exited | Status::Dead);
            let old = until.is_none_or(|until| asked.created < until);
            if !stopped || !old || !filters.labels(&asked.config.labels.clone().unwrap_or_default()) {
                continue;
            }
            let (rw, _) = self.sizes(&container).await?;
            match self.remove(&container.id, false, false).await {
                Ok(()) => {
                    removed.push(container.id.clone());
                    space = space.saturating_add(rw);
                }
                // Started or removed by somebody else in this moment.
                Err(error) if matches!(error.kind, Kind::Conflict | Kind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ContainerPruneResponse { containers_deleted: Some(removed), space_reclaimed: Some(space) })
    }
}
