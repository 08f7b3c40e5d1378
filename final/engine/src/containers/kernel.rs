//! `inspect --kernel`: what the kernel says about a running container, chapter by chapter. The record is the truth about what
//! was asked; this is the truth about what is.
//!
//! Each chapter's stage reads its own part ([`namespaces::Stage::probe`]), from the host's side only.

use std::sync::Arc;

use cgroups::CgroupStage;
use namespaces::{Fact, Failure, Stage, probe};
use network::Attachment;
use rustix::process::Pid;
use serde::Serialize;
use skiff_runtime::Plan;
use unionfs::OverlayStage;
use volumes::VolumesStage;

use super::explain::Chapter;
use super::{Containers, blocking};
use crate::error::Result;

/// What the kernel says about a container.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct KernelView {
    /// The container.
    pub id: String,
    /// Its name, without a slash.
    pub name: String,
    /// Its first process, as the host numbers it.
    pub pid: i32,
    /// By chapter, in their order.
    pub chapters: Vec<ChapterFacts>,
}

/// What one chapter's feature looks like.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChapterFacts {
    /// Which.
    pub chapter: Chapter,
    /// Each with where it was read: `{"source": "/proc/42/ns/uts", "value": "uts:[4026532180], its own"}`.
    pub facts: Vec<Fact>,
}

impl Containers {
    /// What the kernel says about a running container.
    ///
    /// # Errors
    /// 409 when nothing runs.
    pub async fn kernel(&self, name: &str) -> Result<KernelView> {
        let container = self.find(name)?;
        let state = container.state();
        let Some(pid) = state.pid.and_then(Pid::from_raw) else { return Err(container.not_running()) };
        let asked = container.asked();
        let network = state.network.unwrap_or(Attachment::Host);
        let plan = self.plan(&container, &asked, &network)?;
        let networks = Arc::clone(&self.shared.networks);
        let chapters = blocking(move || Ok(ask(pid, plan, &networks.stage(&network))?)).await;
        let chapters =
            chapters.map_err(|error| if container.status().has_process() { error } else { container.not_running() })?;
        Ok(KernelView { id: asked.id.clone(), name: asked.name.clone(), pid: pid.as_raw_nonzero().get(), chapters })
    }
}

/// Asks each chapter. What a later one answers for is not repeated by the first.
fn ask(pid: Pid, plan: Plan, network: &dyn Stage) -> Result<Vec<ChapterFacts>, Failure> {
    let mut stages: Vec<(Chapter, Box<dyn Stage>)> = Vec::new();
    stages.extend(plan.cgroup.map(|group| (Chapter::Cgroups, Box::new(CgroupStage::new(group)) as Box<dyn Stage>)));
    stages
        .extend(plan.overlay.map(|overlay| (Chapter::Unionfs, Box::new(OverlayStage::new(overlay)) as Box<dyn Stage>)));
    let volumes: Box<dyn Stage> = Box::new(VolumesStage::new(plan.volumes));
    let mut found =
        stages.iter().map(|(chapter, stage)| Ok((*chapter, stage.probe(pid)?))).collect::<Result<Vec<_>, Failure>>()?;
    found.push((Chapter::Network, network.probe(pid)?));
    found.push((Chapter::Volumes, volumes.probe(pid)?));
    let mut first = probe(pid)?;
    first.retain(|fact| !found.iter().any(|(_, facts)| facts.contains(fact)));
    found.insert(0, (Chapter::Namespaces, first));
    Ok(found.into_iter().map(|(chapter, facts)| ChapterFacts { chapter, facts }).collect())
}
