//! What a starting container gets: an address in each of its networks, ports of the host; and how it gives them back.
//!
//! Claiming is deciding: it happens in memory, under one lock, and makes nothing. What it decided goes into the container's
//! record; [`Networks::prepare`] then makes the interface from that, and [`Networks::release`] gives everything back from the
//! record alone.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;

use ::network::{Attachment, Driver, Endpoint, NetworkStage, PortRequest, PublishedPort, Wish};
use bollard_stubs::models::{EndpointSettings, HostConfig};
use namespaces::Stage;

use super::{Networks, State, Wishes};
use crate::error::{Error, Result};

/// What a container asks of the networks: parts of its record.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The container's id.
    pub container: &'a str,
    /// `NetworkMode`, `PortBindings`, `PublishAllPorts`.
    pub host: &'a HostConfig,
    /// `NetworkingConfig.EndpointsConfig`: wishes by the network's name.
    pub endpoints: &'a Wishes,
    /// Ports that the image or the request exposes, `80/tcp`: what `PublishAllPorts` publishes.
    pub exposed: &'a [String],
}

impl Networks {
    /// Claims addresses and ports for a container that is about to start. The mode `container:ID` is not for here: only the
    /// containers know their processes.
    ///
    /// # Errors
    /// An unknown network (404), an address or a port that is taken (409), an address outside of its subnet (400).
    pub fn claim(&self, asked: Asked<'_>) -> Result<Attachment> {
        let mut state = self.lock();
        let wanted = wanted(&state, asked)?;
        if let [(id, _)] = wanted.as_slice() {
            match state.held(id)?.network.driver {
                Driver::Host => return Ok(Attachment::Host),
                Driver::None => return Ok(Attachment::None),
                _ => {}
            }
        }
        let ports = state.ports.claim(asked.container, &requests(asked)?)?;
        let mut claimed = Vec::new();
        for (index, (id, wish)) in wanted.iter().enumerate() {
            // Ports lead to the first interface, which has the default route.
            let ports = if index == 0 { ports.clone() } else { Vec::new() };
            let endpoint =
                self.settle(&mut state, id).and_then(|()| state.claim(asked.container, id, wish, ports, index));
            match endpoint {
                Ok(endpoint) => claimed.push(endpoint),
                Err(error) => {
                    state.ports.release(asked.container);
                    state.forget(&claimed);
                    return Err(error);
                }
            }
        }
        Ok(Attachment::Endpoints(claimed))
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
        Ok(stage.take_netns())
    }

    /// Gives back what a container holds, from its record alone. Any number of times.
    pub fn release(&self, attachment: &Attachment) -> Result<()> {
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
            if let Some(ipam) = &mut held.ipam {
                // The address is in use either way: by this container, or (which cannot be) by two.
                let _ = ipam.claim(endpoint.address.addr());
            }
            held.endpoints.insert(endpoint.container.clone(), endpoint.clone());
            state.ports.restore(&endpoint.container, &endpoint.ports);
        }
        if endpoints.is_empty() { Ok(()) } else { self.make_rules(&state) }
    }

    /// Makes the rules of all networks that are in use, and of all their endpoints.
    fn make_rules(&self, state: &State) -> Result<()> {
        let used = || state.networks.values().filter(|held| !held.endpoints.is_empty());
        let bridges: Vec<_> = used().filter_map(|held| held.network.bridge()).collect();
        let endpoints: Vec<Endpoint> = used().flat_map(|held| held.endpoints.values().cloned()).collect();
        Ok(self.firewall.ensure(&bridges, &endpoints)?)
    }

    fn stage(&self, attachment: &Attachment) -> NetworkStage {
        NetworkStage::with_firewall(attachment.clone(), self.firewall.clone())
    }
}

impl State {
    fn claim(
        &mut self,
        container: &str,
        id: &str,
        wish: &EndpointSettings,
        ports: Vec<PublishedPort>,
        index: usize,
    ) -> Result<Endpoint> {
        let held = self.held(id)?;
        let Some(ipam) = &mut held.ipam else {
            let name = &held.network.name;
            return Err(Error::invalid(format!("the network {name} cannot be combined with other networks")));
        };
        let mac = given(wish.mac_address.as_deref()).map(mac).transpose()?;
        let config = wish.ipam_config.as_ref();
        let address = match given(config.and_then(|config| config.ipv4_address.as_deref())) {
            None => ipam.claim_next()?,
            Some(text) => {
                let address: Ipv4Addr =
                    text.parse().map_err(|_| Error::invalid(format!("invalid IPv4 address: {text}")))?;
                ipam.claim(address)?;
                address
            }
        };
        let endpoint = Endpoint::new(&held.network, container, Wish { address, mac, ports, index })?;
        held.endpoints.insert(container.to_owned(), endpoint.clone());
        Ok(endpoint)
    }

    fn forget(&mut self, endpoints: &[Endpoint]) {
        for endpoint in endpoints {
            let Some(held) = self.networks.get_mut(&endpoint.network) else { continue };
            held.endpoints.remove(&endpoint.container);
            self.ports.release(&endpoint.container);
            if let Some(ipam) = &mut held.ipam {
                ipam.release(endpoint.address.addr());
            }
        }
    }
}

/// The networks that are asked for, by id, the one of `NetworkMode` first, and the wishes for each.
fn wanted(state: &State, asked: Asked<'_>) -> Result<Vec<(String, EndpointSettings)>> {
    let mode = given(asked.host.network_mode.as_deref()).unwrap_or("bridge");
    let mut wanted = vec![(state.find(mode)?, EndpointSettings::default())];
    let mut names: Vec<_> = asked.endpoints.iter().collect();
    names.sort_by_key(|(name, _)| name.as_str());
    for (name, wish) in names {
        let id = state.find(name)?;
        match wanted.iter_mut().find(|(known, _)| *known == id) {
            Some((_, known)) => known.clone_from(wish),
            None => wanted.push((id, wish.clone())),
        }
    }
    Ok(wanted)
}

/// The ports to publish: those that are bound to a port of the host, and all that are exposed when that was asked for.
fn requests(asked: Asked<'_>) -> Result<Vec<PortRequest>> {
    let bindings = asked.host.port_bindings.iter().flatten();
    let mut bindings: Vec<_> = bindings.map(|(port, hosts)| (port.as_str(), hosts.as_deref().unwrap_or(&[]))).collect();
    bindings.sort_by_key(|(port, _)| *port);
    let mut requests = Vec::new();
    for (port, hosts) in &bindings {
        for host in *hosts {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            requests.extend(PortRequest::from_binding(port, &text(&host.host_ip), &text(&host.host_port))?);
        }
    }
    if asked.host.publish_all_ports == Some(true) {
        let bound = |port: &&String| bindings.iter().any(|(bound, hosts)| *bound == port.as_str() && !hosts.is_empty());
        for port in asked.exposed.iter().filter(|port| !bound(port)) {
            requests.extend(PortRequest::from_binding(port, "", "")?);
        }
    }
    Ok(requests)
}

/// What a client leaves empty is not given.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// `02:42:ac:11:00:02`
fn mac(text: &str) -> Result<[u8; 6]> {
    let parts: Vec<_> =
        text.split([':', '-']).map(|part| u8::from_str_radix(part, 16)).collect::<Result<_, _>>().unwrap_or_default();
    parts.try_into().map_err(|_| Error::invalid(format!("invalid MAC address: {text}")))
}
