//! The resolver: who serves the questions of all containers in networks with names.
//!
//! One task of the engine's runtime for each container waits for its two sockets; there is no thread and no process for it.
//! What it says of our own names is the chapter's (`network::dns`), and is said at once, from memory; other names are asked
//! for in tasks of their own (`forward.rs`), so that a server that does not answer keeps nobody else waiting.
//!
//! - `serve.rs`: the loop of one container.
//! - `forward.rs`: asking the host's servers, by UDP and TCP, with an end to every patience.

mod forward;
mod serve;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::network::dns::{Listening, Names};
use ::network::files::{host_resolv_conf, upstreams};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::{State, has_names};
use crate::error::{Error, Result};

/// How many TCP connections and forwarded questions there may be at once, of all containers together. Each is a descriptor.
const AT_ONCE: usize = 1024;

/// The resolver. Clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct Resolver {
    state: Arc<Mutex<State>>,
    /// The task of each container.
    serving: Arc<Mutex<HashMap<String, AbortHandle>>>,
    room: Arc<Semaphore>,
}

impl Resolver {
    pub(super) fn new(state: &Arc<Mutex<State>>) -> Self {
        Self { state: Arc::clone(state), serving: Arc::default(), room: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Serves the sockets of a container, in place of those that it had. Must be called in the engine's runtime.
    pub(super) fn open(&self, container: &str, sockets: Listening) -> Result<()> {
        let sockets = UdpSocket::from_std(sockets.udp)
            .and_then(|udp| TcpListener::from_std(sockets.tcp).map(|tcp| (udp, tcp)))
            .map_err(|error| Error::internal(format!("cannot serve the resolver's sockets: {error}")))?;
        let asker = serve::Asker::new(self.clone(), container);
        let task = tokio::spawn(serve::serve(asker, sockets.0, sockets.1)).abort_handle();
        if let Some(former) = self.serving().insert(container.to_owned(), task) {
            former.abort();
        }
        Ok(())
    }

    /// Closes the sockets of a container, and with them all that keeps its namespace. Doing it again does nothing.
    pub(super) fn close(&self, container: &str) {
        if let Some(task) = self.serving().remove(container) {
            task.abort();
        }
    }

    pub(super) fn is_open(&self, container: &str) -> bool {
        self.serving().contains_key(container)
    }

    /// Works with the names that a container sees.
    fn with_names<T>(&self, container: &str, work: impl FnOnce(&Names<'_>) -> T) -> T {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        work(&state.names(container))
    }

    /// Whom to ask for other names.
    fn servers(&self, container: &str) -> Vec<IpAddr> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let own = state.endpoints_of(container).find(|endpoint| !endpoint.servers.is_empty());
        let own = own.map(|endpoint| endpoint.servers.clone()).unwrap_or_default();
        drop(state);
        // Read each time: the host may have moved to another network meanwhile.
        upstreams(&host_resolv_conf().unwrap_or_default(), &own)
    }

    fn serving(&self) -> MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn endpoints_of(&self, container: &str) -> impl Iterator<Item = &::network::Endpoint> {
        self.networks.values().filter_map(move |held| held.endpoints.get(container))
    }

    /// The names that a container sees: those in its networks, in the order of the networks' names.
    fn names<'a>(&'a self, container: &'a str) -> Names<'a> {
        let own = self.networks.values().filter(|held| held.endpoints.contains_key(container));
        let named = own.filter(|held| has_names(&held.network));
        let mut networks: Vec<_> =
            named.map(|held| (held.network.name.as_str(), held.endpoints.values().collect())).collect();
        networks.sort_by_key(|(name, _)| *name);
        Names {
            asker: container,
            networks,
            forward: self.endpoints_of(container).any(|endpoint| !endpoint.wire.is_internal()),
        }
    }
}
