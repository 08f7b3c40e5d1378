//! Containers: from a request to a process, and back to nothing.
//!
//! What is:
//! 1. `record.rs`: the two records, [`Asked`] and [`State`]; `container.rs`: both in memory, and who may change them.
//! 2. `names.rs`, `index.rs`: ids and names, and which container is meant.
//! 3. `monitor.rs`: the engine's side of the program that watches a container.
//!
//! A life, in order:
//! 4. `request/`: what was asked for, made complete; `create.rs`: its record.
//! 5. `plan/`: from the record to the plan that the monitor carries out.
//! 6. `start.rs`: claims, network, monitor, plan; `links.rs`: names of other containers; `blame.rs`: why it did not start;
//!    `holdings.rs`: events of the networks and volumes that it takes;
//!    `explain/`: how long it took, and what each part was.
//! 7. `health.rs`: whether it does what it is for; `watch.rs`: the end of the program, and what follows from it;
//!    `restart.rs`: whether it is started again.
//! 8. `stop.rs`, `signal.rs`, `pause.rs`: what people do to it meanwhile; `wait.rs`: who waits for what.
//! 9. `remove.rs`: its end; `reconcile.rs`: what an engine finds that was away.
//!
//! What people see and do:
//! 10. `inspect.rs`, `list.rs`, `filter.rs`, `status.rs`, `top.rs`, `stats.rs`; `kernel.rs`: what the kernel says.
//! 11. `archive/`, `changes.rs`, `export.rs`, `commit/`: its files, from outside.
//! 12. `attach.rs`, `exec.rs`, `exec_record.rs`, `logs/`; `update.rs`, `publish.rs`, `connect.rs`, `prune.rs`, `uses.rs`.

mod archive;
mod attach;
mod blame;
mod changes;
mod commit;
mod connect;
mod container;
mod create;
mod exec;
mod exec_record;
mod explain;
mod export;
mod filter;
mod health;
mod holdings;
mod index;
mod inspect;
mod kernel;
mod links;
mod list;
mod logs;
mod monitor;
mod names;
mod pause;
mod plan;
mod prune;
mod publish;
mod reconcile;
mod record;
mod remove;
mod request;
mod restart;
mod signal;
mod start;
mod stats;
mod status;
mod stop;
#[cfg(test)]
mod testing;
mod top;
mod update;
mod uses;
mod wait;
mod watch;

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};

use bollard_stubs::models::EventMessageTypeEnum;

pub use archive::{Outgoing, PathStat, PutOptions};
pub use attach::{AttachOptions, Attached};
pub use commit::CommitOptions;
pub use exec::Begun;
pub use explain::{Chapter, Part};
pub use export::Export;
pub use kernel::{ChapterFacts, KernelView};
pub use list::ListOptions;
pub use logs::{LogStream, Logs, LogsOptions};
pub(crate) use plan::log::DRIVERS as LOG_DRIVERS;
pub use plan::log::check_log;
pub use record::{Asked, Mounted, State, Status};
pub use update::Update;
pub use wait::Condition;

use self::container::{Container, lock};
use self::index::Index;
use self::monitor::Program;
use crate::config::Config;
use crate::engine::directory;
use crate::error::{Error, Result};
use crate::events::{Attributes, Events};
use crate::images::Images;
use crate::networks::Networks;
use crate::volumes::Volumes;

/// All containers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Containers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Arc<Config>,
    events: Arc<Events>,
    images: Arc<Images>,
    networks: Arc<Networks>,
    volumes: Arc<Volumes>,
    index: Mutex<Index>,
    execs: Mutex<exec::Execs>,
    program: Program,
}

impl Containers {
    /// Reads the records and compares them with the kernel.
    pub async fn open(
        config: &Arc<Config>,
        events: &Arc<Events>,
        images: &Arc<Images>,
        networks: &Arc<Networks>,
        volumes: &Arc<Volumes>,
    ) -> Result<Self> {
        directory(&config.data_root.join("containers"), 0o711)?;
        directory(&config.exec_root.join("containers"), 0o700)?;
        let shared = Shared {
            program: Program::open(config.runtime.as_deref())?,
            config: Arc::clone(config),
            events: Arc::clone(events),
            images: Arc::clone(images),
            networks: Arc::clone(networks),
            volumes: Arc::clone(volumes),
            index: Mutex::default(),
            execs: Mutex::default(),
        };
        let containers = Self { shared: Arc::new(shared) };
        containers.reconcile().await?;
        Ok(containers)
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        lock(&self.shared.index)
    }

    /// The container that `name` means.
    fn find(&self, name: &str) -> Result<Arc<Container>> {
        self.index().find(name)
    }

    /// Tells that `action` happened to a container.
    fn tell(&self, container: &Container, action: &str, more: &[(&str, String)]) {
        let asked = container.asked();
        let mut attributes: Attributes = asked.config.labels.clone().unwrap_or_default();
        attributes.insert("image".to_owned(), asked.config.image.clone().unwrap_or_default());
        attributes.insert("name".to_owned(), asked.name.clone());
        attributes.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        self.shared.events.emit(EventMessageTypeEnum::CONTAINER, action, &container.id, attributes);
    }
}

/// Runs `work` to its end even when the caller loses interest: a client that hangs up in the middle of a start must not
/// leave half a container.
async fn whole<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(work).await?
}

/// Runs `work` on a thread that may wait for the disk or the kernel.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await?
}

/// The error of an operation on a container that is being removed.
fn marked_for_removal(container: &Container) -> Error {
    Error::conflict(format!("container {} is marked for removal", container.id))
}
