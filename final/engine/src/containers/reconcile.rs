//! What an engine finds that was away: the records say what was asked, the monitors say what is.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard_stubs::models::RestartPolicyNameEnum as Policy;
use namespaces::Failure;
use network::Attachment;
use skiff_runtime::protocol::{Event, Exit, Request};

use super::container::{ASKED, Container};
use super::monitor::{Ending, Monitor};
use super::plan::cgroup_path;
use super::record::{Asked, Status};
use super::remove::{TRASH, clear_cgroup, remove_tree};
use super::{Containers, blocking, restart, watch};
use crate::error::Result;
use crate::record;

/// How long a monitor may take to say how its container is.
const PATIENCE: Duration = Duration::from_secs(5);

/// A container whose monitor has answered.
struct Found {
    container: Arc<Container>,
    monitor: Monitor,
    ending: Ending,
    exit: Option<Exit>,
}

impl Containers {
    /// Reads the records, finds the monitors again, and puts right what has changed.
    pub(super) async fn reconcile(&self) -> Result<()> {
        let home = self.shared.config.data_root.join("containers");
        let records = record::scan::<Asked>(&home, ASKED)?;
        let mut found = Vec::new();
        let mut lost = Vec::new();
        for (directory, asked) in records {
            let state = Container::read_state(&directory).unwrap_or_default();
            let container = Arc::new(Container::new(&self.shared.config, asked, state));
            self.index().restore(Arc::clone(&container));
            match hello(&container).await {
                Some(there) => found.push(there),
                None => lost.push(container),
            }
        }
        for there in &found {
            // What the former engine was connecting or disconnecting.
            if let Err(error) = self.mend(&there.container).await {
                tracing::warn!("{error}");
            }
        }
        let held: Vec<_> = found.iter().filter_map(|found| found.container.state().network).collect();
        self.shared.networks.adopt(&held)?;
        for state in found.iter().map(|found| found.container.state()) {
            let (Some(pid), Some(network)) = (state.pid, &state.network) else { continue };
            if let Err(error) = self.shared.networks.serve_again(pid, network) {
                tracing::warn!("{error}");
            }
        }
        for there in found {
            self.go_on(there);
        }
        self.find_execs().await?;
        for container in lost {
            self.settle(&container).await;
        }
        self.sweep(&home);
        Ok(())
    }

    /// A container whose monitor lives: it runs, or has ended this moment.
    fn go_on(&self, found: Found) {
        let Found { container, monitor, ending, exit } = found;
        container.set_monitor(Some(monitor.clone()));
        container.change(|life| life.monitored = true);
        self.watch_health(&container);
        self.watch(container, monitor, ending.or_told(exit));
    }

    /// A container without a monitor: the record may say otherwise.
    async fn settle(&self, container: &Arc<Container>) {
        let before = container.state();
        if let Some(network) = before.network.clone() {
            self.give_back(network).await;
        }
        let was_running = before.status.has_process();
        if was_running {
            let (exit, error) = self.lost(container).await;
            container.change(|life| watch::note(&mut life.state, &exit, error));
            self.tell(container, "die", &[("exitCode", exit.code.to_string())]);
            self.tell_given_back(container, &before.network.clone().unwrap_or(Attachment::None));
        }
        let (policy, most) = container.asked().restart_policy();
        let state = container.state();
        let again = match state.status {
            Status::Restarting => true,
            // As docker: `always` means also after a stop, when the engine starts.
            Status::Exited if policy == Policy::ALWAYS => true,
            Status::Exited if was_running || policy == Policy::UNLESS_STOPPED => {
                restart::after((policy, most), &before, state.exit_code, state.finished_at.unwrap_or_default())
                    .is_some()
            }
            _ => false,
        };
        if was_running && container.asked().auto_remove() {
            let _turn = container.turn.lock().await;
            self.dispose(container, true).await;
            return;
        }
        if again {
            container.change(|life| (life.state.status, life.state.stopped) = (Status::Restarting, false));
            self.start_again(Arc::clone(container), Duration::ZERO);
        }
        if was_running || again {
            container.keep();
        }
    }

    /// Removes what belongs to no container: half-made records, run directories, trash. They are listed now, before anybody
    /// can make a new container.
    fn sweep(&self, home: &Path) {
        let ids: HashSet<String> = self.index().all().iter().map(|container| container.id.clone()).collect();
        let config = &self.shared.config;
        let places = [home.to_owned(), config.exec_root.join("containers"), config.data_root.join(TRASH)];
        let found: Vec<_> = places.iter().flat_map(|place| strays(place, &ids)).collect();
        let parent = config.cgroup_parent.clone();
        tokio::spawn(blocking(move || {
            for failure in found.iter().filter_map(|directory| remove_stray(directory, &parent).err()) {
                tracing::warn!("{failure}");
            }
            Ok(())
        }));
    }
}

/// Removes the directory of a container that is no more, and its cgroup: where its record says, or below `parent`.
fn remove_stray(directory: &Path, parent: &str) -> Result<(), Failure> {
    let asked: Option<Asked> = record::read(&directory.join(ASKED)).ok().flatten();
    let name = directory.file_name().map_or(directory, Path::new);
    clear_cgroup(&asked.map_or_else(|| Path::new(parent).join(name), |asked| cgroup_path(&asked, parent)))?;
    remove_tree(directory)
}

/// The entries of a directory that are not called like a container.
fn strays(directory: &Path, ids: &HashSet<String>) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let stray = |name: &std::ffi::OsStr| name.to_str().is_none_or(|name| !ids.contains(name));
    entries.filter(|entry| stray(&entry.file_name())).map(|entry| entry.path()).collect()
}

/// Asks a container's monitor how it is. `None` when there is none. What it says goes into the state.
async fn hello(container: &Arc<Container>) -> Option<Found> {
    let (monitor, ending) = Monitor::connect(&container.places.run).ok()?;
    let asked = tokio::time::timeout(PATIENCE, monitor.ask(Request::Hello, Vec::new())).await;
    let Ok(Ok(Event::State(said))) = asked else { return None };
    container.change(|life| {
        let state = &mut life.state;
        if !state.status.has_process() {
            state.status = Status::Running;
        }
        (state.pid, state.started_at) = (Some(said.pid), Some(said.started_at));
    });
    Some(Found { container: Arc::clone(container), monitor, ending, exit: said.exit })
}
