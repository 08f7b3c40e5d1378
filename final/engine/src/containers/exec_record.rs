//! What is kept of an exec that has begun, so that an engine that was restarted finds it again: in
//! `<exec-root>/execs/ID/`, because none outlives a reboot.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bollard_stubs::models::ExecConfig;
use namespaces::Context;
use serde::{Deserialize, Serialize};
use skiff_runtime::protocol::{Event, Exit, Request};

use super::container::lock;
use super::exec::{Exec, ExecState};
use super::monitor::{Ending, Monitor};
use super::remove::remove_tree;
use super::{Containers, blocking};
use crate::error::Result;
use crate::record::{self, Durability};

/// The record's name in an exec's directory.
const RECORD: &str = "exec.json";

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    id: String,
    number: u64,
    container: String,
    config: ExecConfig,
}

impl Containers {
    /// Where an exec's record, its monitor's socket and its exit status are.
    pub(super) fn exec_directory(&self, id: &str) -> PathBuf {
        self.shared.config.exec_root.join("execs").join(id)
    }

    /// Writes the record of an exec that is about to begin. Returns its directory.
    pub(super) fn keep_exec(&self, exec: &Exec) -> Result<PathBuf> {
        let directory = self.exec_directory(&exec.id);
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&directory)
            .during("make the directory", directory.display())?;
        let (id, container) = (exec.id.clone(), exec.container.id.clone());
        let kept = Kept { id, number: exec.number, container, config: exec.config.clone() };
        record::write(&directory.join(RECORD), &kept, Durability::Crash)?;
        Ok(directory)
    }

    /// Finds the execs that a former engine has begun: those that run go on, of the others the exit code is known.
    pub(super) async fn find_execs(&self) -> Result<()> {
        for (directory, kept) in record::scan::<Kept>(&self.shared.config.exec_root.join("execs"), RECORD)? {
            let container = self.index().get(&kept.container);
            let Some(container) = container.filter(|_| directory.ends_with(&kept.id)) else {
                blocking(move || Ok(remove_tree(&directory)?)).await?;
                continue;
            };
            let state = ExecState { begun: true, ..ExecState::default() };
            let Kept { id, number, config, .. } = kept;
            let exec = Arc::new(Exec { id: id.clone(), number, container, config, state: Mutex::new(state) });
            lock(&self.shared.execs).insert(id, Arc::clone(&exec));
            let found = match Monitor::connect(&directory) {
                Ok(found) => self.go_on_with(&exec, found).await,
                Err(_) => false,
            };
            if !found {
                let exit = record::read::<Exit>(&directory.join("exit.json")).ok().flatten();
                // Killed, as far as anybody knows.
                lock(&exec.state).exit_code = Some(exit.map_or(137, |exit| exit.code));
            }
        }
        Ok(())
    }

    /// Watches an exec whose monitor lives. `false` when it has gone in this moment.
    async fn go_on_with(&self, exec: &Arc<Exec>, (monitor, ending): (Monitor, Ending)) -> bool {
        let Ok(Event::State(said)) = monitor.ask(Request::Hello, Vec::new()).await else { return false };
        {
            let mut state = lock(&exec.state);
            (state.running, state.pid, state.monitor) = (true, Some(said.pid), Some(monitor.clone()));
        }
        self.watch_exec(Arc::clone(exec), monitor, ending.or_told(said.exit), None);
        true
    }
}
