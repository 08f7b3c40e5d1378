//! One container in memory: its two records, who waits for it, and its monitor while it runs.
//!
//! Everything here can be read without waiting. What changes it takes [`Container::turn`] first, so that one start, stop
//! or removal ends before the next begins. The rule that keeps this from ever standing still: nobody waits for a program to
//! end while it is their turn, because the end needs a turn as well.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use namespaces::Failure;
use rustix::io::Errno;
use skiff_runtime::protocol::Attach;
use tokio::sync::watch;

use super::monitor::Monitor;
use super::record::{Asked, State, Status};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::record::{self, Durability};

/// The record of what was asked, in a container's directory.
pub(crate) const ASKED: &str = "config.json";
/// The record of what is.
const STATE: &str = "state.json";

/// One container.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) id: String,
    pub(crate) places: Places,
    asked: Mutex<Arc<Asked>>,
    life: watch::Sender<Life>,
    /// Whoever changes the container holds this.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// Whoever freezes or thaws it holds this, and nothing else is done meanwhile.
    pub(crate) freezer: tokio::sync::Mutex<()>,
    monitor: Mutex<Option<Monitor>>,
    /// Clients that attached before the start.
    waiting: Mutex<Vec<Client>>,
}

/// A client's wish and its socket.
pub(crate) type Client = (Attach, OwnedFd);

/// What those who wait look at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Life {
    pub(crate) state: State,
    /// How many times its program has ended since the engine began.
    pub(crate) exits: u64,
    /// Whether the container is gone, record and all.
    pub(crate) gone: bool,
    /// Whether its removal has begun.
    pub(crate) removing: bool,
    /// Whether its monitor is there: a little longer than its program, to give back what that held.
    pub(crate) monitored: bool,
    /// Whether SIGKILL is on its way to it: frozen now, it would never die.
    pub(crate) killed: bool,
    /// Whether somebody restarts it: then its end is not the end.
    pub(crate) held: bool,
}

/// Where a container's files are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// `<data-root>/containers/ID`, mode 0711: the container's own user must get to what is mounted from it.
    pub(crate) record: PathBuf,
    /// `<exec-root>/containers/ID`, mode 0700.
    pub(crate) run: PathBuf,
}

impl Places {
    pub(crate) fn of(config: &Config, id: &str) -> Self {
        Self { record: config.data_root.join("containers").join(id), run: config.exec_root.join("containers").join(id) }
    }

    /// The writable layer.
    pub(crate) fn upper(&self) -> PathBuf {
        self.record.join("upper")
    }

    /// The kernel's scratch space beside it.
    pub(crate) fn work(&self) -> PathBuf {
        self.record.join("work")
    }

    /// Where the root file system is mounted, in the container's own mount namespace.
    pub(crate) fn root(&self) -> PathBuf {
        self.record.join("rootfs")
    }

    /// The directories that make up the root file system.
    pub(crate) fn of_root(&self) -> [PathBuf; 3] {
        [self.upper(), self.work(), self.root()]
    }

    /// The current log; older ones are beside it with a number.
    pub(crate) fn log(&self, id: &str) -> PathBuf {
        self.record.join(format!("{id}-json.log"))
    }

    /// One of the three files that differ from container to container: `hosts`, `hostname`, `resolv.conf`.
    pub(crate) fn etc(&self, name: &str) -> PathBuf {
        self.record.join(name)
    }
}

impl Container {
    /// A container in memory. Its record is somebody else's business.
    pub(crate) fn new(config: &Config, asked: Asked, state: State) -> Self {
        Self {
            id: asked.id.clone(),
            places: Places::of(config, &asked.id),
            asked: Mutex::new(Arc::new(asked)),
            life: watch::Sender::new(Life { state, ..Life::default() }),
            turn: tokio::sync::Mutex::new(()),
            freezer: tokio::sync::Mutex::new(()),
            monitor: Mutex::default(),
            waiting: Mutex::default(),
        }
    }

    /// What was asked.
    pub(crate) fn asked(&self) -> Arc<Asked> {
        Arc::clone(&lock(&self.asked))
    }

    /// What it is called.
    pub(crate) fn name(&self) -> String {
        lock(&self.asked).name.clone()
    }

    /// Changes what was asked, on disk first.
    pub(crate) fn ask(&self, change: impl FnOnce(&mut Asked)) -> Result<()> {
        let mut asked = Asked::clone(&lock(&self.asked));
        change(&mut asked);
        record::write(&self.places.record.join(ASKED), &asked, Durability::Power)?;
        *lock(&self.asked) = Arc::new(asked);
        Ok(())
    }

    /// What is.
    pub(crate) fn state(&self) -> State {
        self.life.borrow().state.clone()
    }

    /// What is, as it is now, not copied. Nothing changes as long as this is held, so it is held over no wait.
    pub(crate) fn look(&self) -> watch::Ref<'_, Life> {
        self.life.borrow()
    }

    pub(crate) fn status(&self) -> Status {
        self.life.borrow().state.status
    }

    /// What is, and every change of it.
    pub(crate) fn watch(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Whether SIGKILL is on its way to its program.
    pub(crate) fn is_killed(&self) -> bool {
        self.life.borrow().killed
    }

    /// Changes what is, and tells those who wait. The record follows by [`Self::keep`].
    pub(crate) fn change(&self, change: impl FnOnce(&mut Life)) {
        self.life.send_modify(change);
    }

    /// Writes what is to the record. A failure is told and not returned: the kernel has the truth, and a container that
    /// runs is not stopped because a disk is full.
    pub(crate) fn keep(&self) {
        let life = self.life.borrow().clone();
        if life.gone {
            return;
        }
        if let Err(failure) = record::write(&self.places.record.join(STATE), &life.state, Durability::Crash) {
            tracing::warn!("{failure}");
        }
    }

    /// Reads what a former engine has written; the default when it did not come to that.
    pub(crate) fn read_state(record: &Path) -> Result<State, Failure> {
        Ok(record::read(&record.join(STATE))?.unwrap_or_default())
    }

    /// Takes in the monitor of the program that runs now, or `None` when it has ended.
    pub(crate) fn set_monitor(&self, monitor: Option<Monitor>) {
        *lock(&self.monitor) = monitor;
    }

    /// The monitor.
    ///
    /// # Errors
    /// 409 in docker's words when nothing runs.
    pub(crate) fn monitor(&self) -> Result<Monitor> {
        lock(&self.monitor).clone().ok_or_else(|| self.not_running())
    }

    /// `Container ID is not running`
    pub(crate) fn not_running(&self) -> Error {
        Error::conflict(format!("container {} is not running", self.id))
    }

    /// What a failed request to the monitor means. `ESRCH`: the program has ended in this moment, though the record does not
    /// say so yet.
    pub(crate) fn blame(&self, failure: Failure) -> Error {
        if failure.is(Errno::SRCH) { self.not_running() } else { failure.into() }
    }

    /// Keeps a client for the next start.
    pub(crate) fn wait_for_start(&self, client: Client) {
        lock(&self.waiting).push(client);
    }

    /// The clients that wait for the start.
    pub(crate) fn take_waiting(&self) -> Vec<Client> {
        std::mem::take(&mut *lock(&self.waiting))
    }
}

/// The value behind a lock that no panic can have left half changed: each is replaced as a whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
