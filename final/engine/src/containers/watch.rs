//! The end of a container's program, and what follows from it.

use std::sync::Arc;

use jiff::Timestamp;
use network::Attachment;
use skiff_runtime::protocol::Exit;

use super::container::Container;
use super::monitor::{Ending, Monitor};
use super::plan::cgroup_path;
use super::record::{State, Status};
use super::remove::clear_cgroup;
use super::{Containers, blocking, restart};

/// The exit code of a program of which nobody saw the end, as if it had been killed.
const UNKNOWN: i32 = 137;

impl Containers {
    /// Watches a container's program until its end, in a task of its own.
    pub(super) fn watch(&self, container: Arc<Container>, monitor: Monitor, ending: Ending) {
        let this = self.clone();
        tokio::spawn(async move {
            let (exit, lost) = match ending.exit.await {
                Ok(exit) => (exit, String::new()),
                Err(_) => this.lost(&container).await,
            };
            this.ended(&container, exit, lost).await;
            if shares_pids(&container) {
                this.clear(&container).await;
            }
            let _ = ending.gone.await;
            this.clear(&container).await;
            // The conversation goes on as long as somebody could say something: until here.
            drop(monitor);
            container.set_monitor(None);
            container.change(|life| life.monitored = false);
        });
    }

    /// Ends what is left of a container in its cgroup, and removes that. Usually there is nothing left to do.
    async fn clear(&self, container: &Container) {
        let path = cgroup_path(&container.asked(), &self.shared.config.cgroup_parent);
        if let Err(error) = blocking(move || Ok(clear_cgroup(&path)?)).await {
            tracing::warn!("{error}");
        }
    }

    /// The program has ended.
    pub(super) async fn ended(&self, container: &Arc<Container>, exit: Exit, lost: String) {
        let _turn = container.turn.lock().await;
        // First: whoever has waited for this end may want the same port at once.
        let network = container.state().network;
        if let Some(network) = network.clone() {
            self.give_back(network).await;
        }
        let asked = container.asked();
        let before = container.watch().borrow().clone();
        let again = restart::after(asked.restart_policy(), &before.state, exit.code, exit.finished_at);
        let again = again.filter(|_| !before.removing && !before.held);
        container.change(|life| {
            life.exits += 1;
            note(&mut life.state, &exit, lost);
            if again.is_some() {
                life.state.status = Status::Restarting;
                life.state.restarts += 1;
            }
        });
        self.forget_unbegun(&container.id);
        self.tell_end(container, &before.state, &exit);
        self.tell_given_back(container, &network.unwrap_or(Attachment::None));
        if asked.auto_remove() && !before.held && !before.removing {
            self.dispose(container, true).await;
            return;
        }
        container.keep();
        if let Some(pause) = again {
            self.start_again(Arc::clone(container), pause);
        }
    }

    fn tell_end(&self, container: &Container, state: &State, exit: &Exit) {
        if exit.oom_killed {
            self.tell(container, "oom", &[]);
        }
        let ran = state.started_at.map_or(0, |since| exit.finished_at.duration_since(since).as_secs());
        let more = [("exitCode", exit.code.to_string()), ("execDuration", ran.to_string())];
        self.tell(container, "die", &more);
    }

    /// The monitor has hung up without a word: what it wrote before that, or the worst. Its container must not live on without
    /// anybody to watch it.
    pub(super) async fn lost(&self, container: &Arc<Container>) -> (Exit, String) {
        let path = cgroup_path(&container.asked(), &self.shared.config.cgroup_parent);
        let record = container.places.record.clone();
        let found = blocking(move || {
            let written = crate::record::read(&record.join("exit.json"))?;
            clear_cgroup(&path)?;
            Ok(written)
        })
        .await;
        match found {
            Ok(Some(exit)) => (exit, String::new()),
            Ok(None) => (unknown(), "the monitor ended unexpectedly; the exit status is not known".to_owned()),
            Err(error) => (unknown(), error.message),
        }
    }
}

/// Whether the end of its first process leaves its other processes alive: only a pid namespace's own init takes all along.
fn shares_pids(container: &Container) -> bool {
    container.asked().host.pid_mode.as_deref().is_some_and(|mode| mode == "host" || mode.starts_with("container:"))
}

fn unknown() -> Exit {
    Exit { code: UNKNOWN, signal: Some(9), oom_killed: false, log_failure: None, finished_at: Timestamp::now() }
}

/// Writes an end into the state.
pub(super) fn note(state: &mut State, exit: &Exit, lost: String) {
    state.status = Status::Exited;
    state.pid = None;
    state.network = None;
    state.finished_at = Some(exit.finished_at);
    state.exit_code = exit.code;
    state.oom_killed = exit.oom_killed;
    state.error = match &exit.log_failure {
        Some(failure) if lost.is_empty() => format!("output is missing from the log: {failure}"),
        _ => lost,
    };
}
