//! Other networks for a container, running or not.
//!
//! What was asked decides: a network is the container's from the moment `config.json` says so, until it does not. The
//! endpoint in the kernel comes before that and goes after it, and is in `state.json` for as long as it may be there. So an
//! engine that is killed in between leaves an endpoint that nobody asks for, which [`Containers::mend`] takes away.

use std::sync::Arc;

use bollard_stubs::models::EndpointSettings;
use network::{Attachment, Endpoint};

use super::container::Container;
use super::record::Asked;
use super::{Containers, blocking, marked_for_removal, whole};
use crate::error::{Error, Result};
use crate::networks;

impl Containers {
    /// Connects a container with a network.
    ///
    /// # Errors
    /// As [`crate::Engine::connect_network`].
    pub(crate) async fn connect(&self, name: &str, network: &str, wish: EndpointSettings) -> Result<()> {
        let (network, id, connects) = self.shared.networks.look_up(network)?;
        let (this, container) = (self.clone(), self.find(name)?);
        whole(async move {
            let _turn = container.turn.lock().await;
            if container.watch().borrow().removing {
                return Err(marked_for_removal(&container));
            }
            let asked = container.asked();
            refuse(&asked, &network, connects)?;
            this.shared.networks.check_aliases(&network, &wish)?;
            this.shared.networks.check_new(wishes(&asked), &id)?;
            let mut after = Asked::clone(&asked);
            // Compose takes a container out of its only network and puts it into another one.
            if after.networks.is_empty() {
                after.host.network_mode = Some(network.clone());
            }
            after.networks.insert(network.clone(), wish.clone());
            if container.status().has_process() {
                this.plug_in(&container, &after, &network, &wish).await?;
            }
            container.ask(|asked| *asked = after)
        })
        .await
    }

    /// Disconnects a container from a network.
    ///
    /// # Errors
    /// As [`crate::Engine::disconnect_network`].
    pub(crate) async fn disconnect(&self, name: &str, network: &str, force: bool) -> Result<()> {
        let container = self.find(name)?;
        let found = self.shared.networks.look_up(network);
        // The network has been removed, and the container still asks for it.
        if found.is_err() && force && container.asked().networks.contains_key(network) {
            let _turn = container.turn.lock().await;
            return container.ask(|asked| drop(asked.networks.remove(network)));
        }
        let (network, id, connects) = found?;
        let this = self.clone();
        whole(async move {
            let _turn = container.turn.lock().await;
            let asked = container.asked();
            refuse(&asked, &network, connects)?;
            let is_it = |known: &String| this.shared.networks.look_up(known).is_ok_and(|(_, known, _)| known == id);
            let Some(key) = asked.networks.keys().find(|known| is_it(known)).cloned() else {
                let id = &container.id;
                return Err(Error::forbidden(format!("container {id} is not connected to network {network}")));
            };
            let mode = asked.host.network_mode.clone().unwrap_or_default();
            container.ask(|asked| {
                asked.networks.remove(&key);
                // The network of `NetworkMode` is claimed whatever the list says: it goes over to another one.
                if is_it(&mode) {
                    let next = asked.networks.keys().min().cloned();
                    asked.host.network_mode = Some(next.unwrap_or_else(|| "none".to_owned()));
                }
            })?;
            this.mend(&container).await
        })
        .await
    }

    /// Gives a running container an endpoint in one more network. `asked` is what will be asked of it.
    async fn plug_in(
        &self,
        container: &Arc<Container>,
        asked: &Asked,
        network: &str,
        wish: &EndpointSettings,
    ) -> Result<()> {
        let state = container.state();
        let (Some(pid), Some(before)) = (state.pid, state.network) else { return Err(container.not_running()) };
        let (networks, after, name) = (Arc::clone(&self.shared.networks), asked.clone(), network.to_owned());
        let (wish, now) = (wish.clone(), before.clone());
        let claimed = blocking(move || networks.claim_more(wishes(&after), &now, &name, &wish)).await?;
        let (endpoint, after) = claimed;
        holds(container, &after);
        let networks = Arc::clone(&self.shared.networks);
        let (made, now, then) = (endpoint.clone(), before.clone(), after.clone());
        if let Err(error) = blocking(move || networks.connect(pid, &made, &now, &then)).await {
            self.shared.networks.give_up(&endpoint, &before);
            holds(container, &before);
            return Err(error);
        }
        self.rewrite_files(container, asked, &after)
    }

    /// Takes away what a running container holds of networks that are not asked for.
    pub(super) async fn mend(&self, container: &Arc<Container>) -> Result<()> {
        let asked = container.asked();
        let state = container.state();
        let (Some(pid), Some(mut now)) = (state.pid, state.network) else { return Ok(()) };
        let wanted = |endpoint: &Endpoint| {
            let known =
                |name: &String| self.shared.networks.look_up(name).is_ok_and(|(_, id, _)| id == endpoint.network);
            asked.networks.keys().any(known)
        };
        let strays: Vec<Endpoint> = now.endpoints().iter().filter(|endpoint| !wanted(endpoint)).cloned().collect();
        for stray in strays {
            let rest = self.shared.networks.without(&now, &stray.network, wishes(&asked));
            let (networks, then) = (Arc::clone(&self.shared.networks), rest.clone());
            blocking(move || networks.disconnect(pid, &stray, &then)).await?;
            holds(container, &rest);
            now = rest;
            self.rewrite_files(container, &asked, &now)?;
        }
        Ok(())
    }

    /// Its addresses are in `/etc/hosts`, and whom to ask for names may be another now.
    fn rewrite_files(&self, container: &Container, asked: &Asked, network: &Attachment) -> Result<()> {
        self.write_files(container, asked, network)
    }
}

/// Notes what a container holds of the networks, before it is made and after it is gone.
pub(super) fn holds(container: &Container, network: &Attachment) {
    container.change(|life| life.state.network = Some(network.clone()));
    container.keep();
}

/// What a container asks of the networks, for those who only look at its networks.
fn wishes(asked: &Asked) -> networks::Asked<'_> {
    let endpoints = &asked.networks;
    networks::Asked { container: &asked.id, name: &asked.name, host: &asked.host, endpoints, exposed: &[] }
}

/// Docker's reasons against changing the networks of a container.
fn refuse(asked: &Asked, network: &str, connects: bool) -> Result<()> {
    let mode = asked.host.network_mode.as_deref().unwrap_or_default();
    let because = if mode.starts_with("container:") {
        "container sharing network namespace with another container or host cannot be connected to any other network"
    } else if mode == "host" || network == "host" {
        "container cannot be disconnected from host network or connected to host network"
    } else if asked.networks.contains_key("none") || !connects {
        "container cannot be connected to multiple networks with one of the networks in private (none) mode"
    } else {
        return Ok(());
    };
    Err(Error::invalid(because))
}
