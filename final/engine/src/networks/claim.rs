//! What a starting container gets: an address in each of its networks, ports of the host; and how it gives them back.
//!
//! Claiming is deciding: it happens in memory, under one lock, and makes nothing. What it decided goes into the container's
//! record; [`Networks::prepare`] then makes the interfaces from that, and [`Networks::release`] gives everything back from the
//! record alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

use ::network::{Attachment, Endpoint, Kind, NetworkStage, dns};
use namespaces::Stage;

use super::live::namespace_of;
use super::wanted::{self, Asked, arrange, requests};
use super::{Networks, State};
use crate::error::Result;

impl Networks {
    /// Claims addresses and ports for a container that is about to start. The mode `container:ID` is not for here: only the
    /// containers know their processes.
    ///
    /// # Errors
    /// An unknown network (404), an address or a port that is taken (409), an address outside of its subnet (400).
    pub fn claim(&self, asked: Asked<'_>) -> Result<Attachment> {
        let mut state = self.lock();
        let wanted = wanted::wanted(&state, asked)?;
        if let [(id, wish)] = wanted.as_slice() {
            let held = state.held(id)?;
            if held.ipams.is_empty() {
                wanted::refuse_addresses(held, &wish.ipam_config.clone().unwrap_or_default())?;
            }
            match held.network.driver {
                Kind::Host => return Ok(Attachment::Host),
                Kind::None => return Ok(Attachment::None),
                _ => {}
            }
        }
        let mut claimed = Vec::new();
        let all = wanted.iter().try_for_each(|(id, wish)| {
            self.settle(&mut state, id)?;
            let endpoint = wanted::endpoint(state.held(id)?, asked, wish, &claimed)?;
            claimed.push(endpoint);
            Ok(())
        });
        let all = all.and_then(|()| {
            arrange(&state, &mut claimed, asked.endpoints);
            state.claim_ports(asked, &mut claimed)
        });
        match all {
            Ok(()) => Ok(Attachment::Endpoints(claimed)),
            Err(error) => {
                state.forget(&claimed);
                Err(error)
            }
        }
    }

    /// Makes what was claimed: the network namespace with its interfaces, and the rules for its ports. `None` for the host's
    /// namespace. Blocks for about a millisecond.
    ///
    /// When somebody has taken the rules away meanwhile (`nft flush ruleset`), those of all containers are made again first.
    pub fn prepare(&self, attachment: &Attachment) -> Result<Option<OwnedFd>> {
        if !attachment.endpoints().is_empty() && !self.firewall.is_installed()? {
            self.make_rules(&self.lock())?;
        }
        let mut stage = self.stage(attachment);
        stage.prepare()?;
        let netns = stage.take_netns();
        if let Some(netns) = &netns {
            self.resolve_in(netns, attachment)?;
        }
        self.relay(attachment)?;
        Ok(netns)
    }

    /// Gives back what a container holds, from its record alone. Any number of times.
    pub fn release(&self, attachment: &Attachment) -> Result<()> {
        for endpoint in attachment.endpoints() {
            self.resolver.close(&endpoint.container);
            self.relay.close(&endpoint.container);
        }
        let result = self.stage(attachment).release();
        self.lock().forget(attachment.endpoints());
        Ok(result?)
    }

    /// Takes in what the containers hold that have run on while no engine looked, and makes the rules say exactly that.
    pub fn adopt<'a>(&self, attachments: impl IntoIterator<Item = &'a Attachment>) -> Result<()> {
        let mut state = self.lock();
        let endpoints: Vec<Endpoint> = attachments.into_iter().flat_map(Attachment::endpoints).cloned().collect();
        for endpoint in &endpoints {
            let Some(held) = state.networks.get_mut(&endpoint.network) else { continue };
            for (ipam, address) in held.ipams.iter_mut().zip(endpoint.addresses()) {
                // The address is in use either way: by this container, or (which cannot be) by two.
                let _ = ipam.claim(address.addr());
            }
            held.endpoints.insert(endpoint.container.clone(), endpoint.clone());
            state.ports.restore(&endpoint.container, &endpoint.ports);
        }
        if endpoints.is_empty() { Ok(()) } else { self.make_rules(&state) }
    }

    /// Answers when a container in a namespace asks for names, if it is in a network that has any.
    pub(super) fn resolve_in(&self, netns: impl AsFd + Sync, attachment: &Attachment) -> Result<()> {
        match attachment.endpoints().first() {
            Some(endpoint) if attachment.has_names() && !self.resolver.is_open(&endpoint.container) => {
                self.resolver.open(&endpoint.container, dns::listen(netns)?)
            }
            _ => Ok(()),
        }
    }

    /// Answers and relays for the container whose first process is `pid`, which has run on while no engine did.
    pub fn serve_again(&self, pid: i32, attachment: &Attachment) -> Result<()> {
        self.relay(attachment)?;
        if attachment.has_names() { self.resolve_in(namespace_of(pid)?, attachment) } else { Ok(()) }
    }

    /// Makes the rules of all networks that are in use, and of all their endpoints.
    pub(super) fn make_rules(&self, state: &State) -> Result<()> {
        let used = || state.networks.values().filter(|held| !held.endpoints.is_empty());
        let wires: Vec<_> = used().filter_map(|held| held.network.wire()).collect();
        let endpoints: Vec<Endpoint> = used().flat_map(|held| held.endpoints.values().cloned()).collect();
        Ok(self.firewall.ensure(&wires, &endpoints)?)
    }

    /// What makes, gives back and looks at what a container has of the networks.
    pub(crate) fn stage(&self, attachment: &Attachment) -> NetworkStage {
        NetworkStage::with_firewall(attachment.clone(), self.firewall.clone())
    }
}

impl State {
    /// Claims the ports that a container asks for, when it has an endpoint that they can lead to.
    pub(super) fn claim_ports(&mut self, asked: Asked<'_>, endpoints: &mut [Endpoint]) -> Result<()> {
        let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.can_publish()) else { return Ok(()) };
        let everywhere = self.everywhere(endpoint);
        let ports = self.ports.claim(asked.container, &requests(asked)?, &everywhere)?;
        wanted::give_ports(endpoints, &ports);
        self.note(endpoints);
        Ok(())
    }

    /// The addresses of the host that a port is published on when none is given: all of both families, or the one that its
    /// network says.
    pub(super) fn everywhere(&self, endpoint: &Endpoint) -> Vec<IpAddr> {
        let of_network = self.networks.get(&endpoint.network).and_then(|held| held.network.host_ip);
        let four = of_network.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        // Without an address of that family it is relayed, unless the network says one address for all.
        let six = endpoint.address6.is_some() || (of_network.is_none() && self.ipv6);
        let six = six.then_some(IpAddr::from(Ipv6Addr::UNSPECIFIED));
        [Some(four), six].into_iter().flatten().collect()
    }

    /// Remembers endpoints as they are now.
    pub(super) fn note(&mut self, endpoints: &[Endpoint]) {
        for endpoint in endpoints {
            if let Some(held) = self.networks.get_mut(&endpoint.network) {
                held.endpoints.insert(endpoint.container.clone(), endpoint.clone());
            }
        }
    }

    /// Forgets all that a container has of these endpoints, its ports included.
    pub(super) fn forget(&mut self, endpoints: &[Endpoint]) {
        for endpoint in endpoints {
            self.ports.release(&endpoint.container);
            self.leave(endpoint);
        }
    }

    /// Forgets one endpoint; ports are held by the container.
    pub(super) fn leave(&mut self, endpoint: &Endpoint) {
        let Some(held) = self.networks.get_mut(&endpoint.network) else { return };
        // Another start of the same container may have noted another one meanwhile.
        if held.endpoints.get(&endpoint.container).is_some_and(|known| known.address == endpoint.address) {
            held.endpoints.remove(&endpoint.container);
        }
        for (ipam, address) in held.ipams.iter_mut().zip(endpoint.addresses()) {
            ipam.release(address.addr());
        }
    }
}
