//! One more network for a container that runs, or one less.
//!
//! As at the start, it is decided first ([`Networks::claim_more`]), written into the container's record by the containers,
//! and only then made. What the record of *what was asked* says decides after a crash: an endpoint that is not asked for is
//! taken away ([`Networks::disconnect`]), whether it was on its way in or out.

use std::path::PathBuf;

use ::network::{Attachment, Endpoint, Firewall, PortRequest, PublishedPort};
use bollard_stubs::models::EndpointSettings;
use namespaces::Context;

use super::wanted::{self, Asked, arrange};
use super::{Networks, State};
use crate::error::{Error, Result};

impl Networks {
    /// Decides the endpoint of a running container in one more network, and how all of its endpoints are then. `asked` has
    /// the new network's wish among the others.
    ///
    /// # Errors
    /// As for [`Networks::claim`].
    pub fn claim_more(
        &self,
        asked: Asked<'_>,
        now: &Attachment,
        network: &str,
        wish: &EndpointSettings,
    ) -> Result<(Endpoint, Attachment)> {
        let mut state = self.lock();
        let id = state.find(network)?;
        self.settle(&mut state, &id)?;
        let mut endpoints = now.endpoints().to_vec();
        let endpoint = wanted::endpoint(state.held(&id)?, asked, wish, &endpoints)?;
        let index = endpoint.index;
        endpoints.push(endpoint.clone());
        arrange(&state, &mut endpoints, asked.endpoints);
        // Ports that had nowhere to lead to until now.
        let published = endpoints.iter().any(|endpoint| !endpoint.ports.is_empty());
        if !published && let Err(error) = state.claim_ports(asked, &mut endpoints) {
            state.leave(&endpoint);
            return Err(error);
        }
        state.note(&endpoints);
        let endpoint = endpoints.iter().find(|one| one.index == index).cloned().unwrap_or(endpoint);
        Ok((endpoint, Attachment::Endpoints(endpoints)))
    }

    /// Makes a new endpoint of the container whose first process is `pid`. `before` and `after` are its endpoints without
    /// and with it.
    pub fn connect(&self, pid: i32, endpoint: &Endpoint, before: &Attachment, after: &Attachment) -> Result<()> {
        let netns = namespace_of(pid)?;
        ::network::connect(&netns, endpoint, after.endpoints(), &self.firewall)?;
        self.resolve_in(&netns, after)?;
        withdraw_moved(&self.firewall, before.endpoints(), after.endpoints())?;
        self.relay(after)?;
        self.tell_connection("connect", endpoint);
        Ok(())
    }

    /// Decides what a running container publishes when it no longer publishes what is `gone`, and `add` as well. Blocks
    /// until a port that is relayed is free.
    ///
    /// # Errors
    /// A port that is taken (409): nothing is changed then.
    pub fn claim_ports(
        &self,
        container: &str,
        now: &Attachment,
        gone: &[PublishedPort],
        add: &[PortRequest],
    ) -> Result<Attachment> {
        if !gone.is_empty() {
            self.relay.close(container);
        }
        let mut state = self.lock();
        let mut endpoints = now.endpoints().to_vec();
        let Some(place) = endpoints.iter().find(|endpoint| endpoint.can_publish()) else { return Ok(now.clone()) };
        let everywhere = state.everywhere(place);
        let all = endpoints.iter().flat_map(|endpoint| endpoint.ports.clone());
        let mut ports: Vec<_> = all.filter(|port| !gone.contains(port)).collect();
        // First, so that one port of the host can go over to another one of the container.
        for port in gone {
            state.ports.give_back(container, port);
        }
        let added = state.ports.claim(container, add, &everywhere);
        if added.is_err() {
            state.ports.restore(container, gone);
            drop(state);
            self.relay(now)?;
            return added.map(|_| now.clone()).map_err(Error::from);
        }
        ports.extend(added?);
        wanted::give_ports(&mut endpoints, &ports);
        state.note(&endpoints);
        Ok(Attachment::Endpoints(endpoints))
    }

    /// Publishes what a running container has now, and takes back what only its endpoints `before` have.
    pub fn republish(&self, before: &Attachment, after: &Attachment) -> Result<()> {
        ::network::publish(after.endpoints(), &self.firewall)?;
        for old in before.endpoints() {
            self.firewall.withdraw(&Endpoint { ports: missing(old, after), ..old.clone() })?;
        }
        self.relay(after)
    }

    /// Makes the claims of a container again what they were before [`Networks::claim_ports`].
    pub fn take_back_ports(&self, claimed: &Attachment, before: &Attachment) {
        let mut state = self.lock();
        for endpoint in claimed.endpoints() {
            for port in missing(endpoint, before) {
                state.ports.give_back(&endpoint.container, &port);
            }
        }
        for endpoint in before.endpoints() {
            state.ports.restore(&endpoint.container, &missing(endpoint, claimed));
        }
        state.note(before.endpoints());
    }

    /// Gives up an endpoint that could not be made.
    pub fn give_up(&self, endpoint: &Endpoint, before: &Attachment) {
        let mut state = self.lock();
        state.leave(endpoint);
        if before.endpoints().iter().all(|endpoint| endpoint.ports.is_empty()) {
            state.ports.release(&endpoint.container);
        }
        state.note(before.endpoints());
    }

    /// The endpoints of a container without those in the network `id`, with the ports where they then lead to.
    pub fn without(&self, now: &Attachment, id: &str, asked: Asked<'_>) -> Attachment {
        let state = self.lock();
        let mut rest: Vec<Endpoint> = now.endpoints().to_vec();
        // Arranged while the ports are still on one of them.
        rest.sort_by_key(|endpoint| endpoint.network == id);
        let ports: Vec<_> = rest.iter().flat_map(|endpoint| endpoint.ports.clone()).collect();
        rest.retain(|endpoint| endpoint.network != id);
        if let Some(first) = rest.first_mut() {
            first.ports = ports;
        }
        arrange(&state, &mut rest, asked.endpoints);
        Attachment::Endpoints(rest)
    }

    /// Takes an endpoint of the container whose first process is `pid` away. `rest` is what it keeps. Any number of times.
    pub fn disconnect(&self, pid: i32, endpoint: &Endpoint, rest: &Attachment) -> Result<()> {
        let netns = namespace_of(pid)?;
        ::network::disconnect(&netns, endpoint, rest.endpoints(), &self.firewall)?;
        let mut state = self.lock();
        state.leave(endpoint);
        if rest.endpoints().iter().all(|endpoint| endpoint.ports.is_empty()) {
            state.ports.release(&endpoint.container);
        }
        state.note(rest.endpoints());
        drop(state);
        self.relay.close(&endpoint.container);
        self.relay(rest)?;
        self.tell_connection("disconnect", endpoint);
        Ok(())
    }

    /// The name that a network has, its id, and whether containers can be connected to it.
    pub fn look_up(&self, name: &str) -> Result<(String, String, bool)> {
        let mut state = self.lock();
        let id = state.find(name)?;
        let held = state.held(&id)?;
        Ok((held.network.name.clone(), id, !held.ipams.is_empty()))
    }

    /// Refuses a name that is to be known in one network only, where no names are known.
    pub fn check_aliases(&self, network: &str, wish: &EndpointSettings) -> Result<()> {
        if matches!(network, "bridge" | "host" | "none") && wish.aliases.as_ref().is_some_and(|names| !names.is_empty())
        {
            return Err(Error::invalid(
                "network-scoped alias is supported only for containers in user defined networks",
            ));
        }
        Ok(())
    }

    /// Tells that a container was connected or disconnected.
    pub(crate) fn tell_connection(&self, action: &str, endpoint: &Endpoint) {
        let network = self.lock().networks.get(&endpoint.network).map(|held| held.network.clone());
        if let Some(network) = network {
            self.tell(action, &network, Some(&endpoint.container));
        }
    }

    /// Gives a container another name in all of its networks, and returns its attachment with it.
    pub fn rename(&self, attachment: &Attachment, old: &str, new: &str) -> Attachment {
        let Attachment::Endpoints(endpoints) = attachment else { return attachment.clone() };
        let mut endpoints = endpoints.clone();
        for name in endpoints.iter_mut().flat_map(|endpoint| &mut endpoint.names).filter(|name| *name == old) {
            new.clone_into(name);
        }
        self.lock().note(&endpoints);
        Attachment::Endpoints(endpoints)
    }
}

/// Takes back what is published by an endpoint as it was and not as it is: its ports lead elsewhere now, or nowhere.
fn withdraw_moved(firewall: &Firewall, before: &[Endpoint], after: &[Endpoint]) -> Result<()> {
    for old in before.iter().filter(|endpoint| !endpoint.ports.is_empty()) {
        let same = |new: &&Endpoint| new.network == old.network && new.ports == old.ports;
        if after.iter().find(same).is_none() {
            // Only those that still lead to it.
            firewall.withdraw(old)?;
        }
    }
    Ok(())
}

/// The ports of an endpoint that no endpoint of another attachment has.
fn missing(endpoint: &Endpoint, other: &Attachment) -> Vec<PublishedPort> {
    let has = |port: &&PublishedPort| other.endpoints().iter().all(|endpoint| !endpoint.ports.contains(port));
    endpoint.ports.iter().filter(has).copied().collect()
}

/// The network namespace of a process.
pub(super) fn namespace_of(pid: i32) -> Result<std::fs::File> {
    let path = PathBuf::from(format!("/proc/{pid}/ns/net"));
    Ok(std::fs::File::open(&path).during("open the network namespace", path.display())?)
}

impl State {
    /// Refuses to connect a container that has the network already, in docker's words.
    pub(super) fn check_new(&self, asked: Asked<'_>, id: &str) -> Result<()> {
        let has = asked.endpoints.keys().any(|name| self.find(name).is_ok_and(|known| known == id));
        let network = self.networks.get(id).map_or(id, |held| held.network.name.as_str());
        if has {
            let name = asked.name;
            return Err(Error::forbidden(format!("endpoint with name {name} already exists in network {network}")));
        }
        Ok(())
    }
}
