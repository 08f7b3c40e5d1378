//! Networks, addresses and ports (chapter 4), behind docker's nouns.
//!
//! Read the files in this order:
//!
//! 1. `mod.rs`: [`Networks`]: the records, and the networks that are always there.
//! 2. `create.rs`: a request of the API becomes a network; removal.
//! 3. `claim.rs`: what a starting container gets, and how it gives that back; `wanted.rs`: what it asks for.
//! 4. `connect.rs`, `live.rs`: one more network, or one less, for a container that may be running.
//! 5. `settle.rs`: the bridge of a network, made when its first container comes; `guard.rs`: rules that others took away.
//! 6. `resolver/`: names of containers, asked for by others; `relay.rs`: ports that no rule can lead to their container.
//! 7. `view.rs`: networks and endpoints as the API shows them.
//!
//! What is claimed is kept in memory only: the record of a container says what it holds, and [`Networks::adopt`] takes that in
//! again when the engine starts. A network's own record says what was asked for and which subnet it got.

mod claim;
mod connect;
mod create;
mod guard;
mod live;
mod relay;
mod resolver;
mod settle;
#[cfg(test)]
mod tests;
mod view;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::network::{AddressPool, Firewall, Ipam, Network, PoolRequest, PortClaims, Request, netlink};
use ipnet::IpNet;
use jiff::Timestamp;
use namespaces::Context;
use rustix::rand::GetRandomFlags;

use self::relay::Relay;
use self::resolver::Resolver;
pub use self::view::{Wishes, endpoints, settings};
pub use self::wanted::Asked;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::record::{self, Durability};

/// The record's name in a network's directory.
const RECORD: &str = "network.json";

/// All networks.
#[derive(Debug)]
pub struct Networks {
    root: PathBuf,
    /// Name of the default network's bridge.
    bridge: String,
    /// Where subnets are taken from that nobody has asked for.
    pools: Vec<AddressPool>,
    /// The rules of this engine, in a table named like the bridge: two engines side by side differ in it.
    firewall: Firewall,
    events: Arc<Events>,
    state: Arc<Mutex<State>>,
    /// Who answers when containers ask for names.
    resolver: Resolver,
    /// Who serves the ports that rules cannot lead on.
    relay: Relay,
}

/// What is known, and who holds what.
#[derive(Debug, Default)]
struct State {
    networks: BTreeMap<String, Held>,
    ports: PortClaims,
    /// Whether the host speaks IPv6.
    ipv6: bool,
}

/// A network and what is claimed of it.
#[derive(Debug)]
struct Held {
    network: Network,
    /// Its addresses by family: IPv4, then IPv6 if it has any. Empty for `host` and `none`.
    ipams: Vec<Ipam>,
    /// Endpoints by the id of their container.
    endpoints: BTreeMap<String, ::network::Endpoint>,
    /// Whether its bridge and its rules are known to be there. What the fast path of a start looks at.
    ready: bool,
}

impl Held {
    fn new(network: Network) -> Self {
        let ipams = network.ipv4.iter().chain(&network.ipv6).cloned().map(Ipam::new).collect();
        Self { network, ipams, endpoints: BTreeMap::new(), ready: false }
    }
}

impl Networks {
    /// Reads the records below the data root, and makes those of the three networks that are always there.
    pub fn open(config: &Config, events: &Arc<Events>) -> Result<Self> {
        let root = config.data_root.join("networks");
        crate::engine::directory(&root, 0o700)?;
        let networks = record::scan::<Network>(&root, RECORD)?
            .into_iter()
            .map(|(_, network)| (network.id.clone(), Held::new(network)))
            .collect();
        let state = Arc::new(Mutex::new(State {
            networks,
            ports: PortClaims::new(),
            ipv6: Path::new("/proc/sys/net/ipv6").exists(),
        }));
        let opened = Self {
            root,
            bridge: config.bridge.clone(),
            pools: config.address_pools.clone(),
            firewall: Firewall::new(&config.bridge),
            events: Arc::clone(events),
            resolver: Resolver::new(&state),
            relay: Relay::default(),
            state,
        };
        for name in ["bridge", "host", "none"] {
            opened.ensure_default(name, config)?;
        }
        Ok(opened)
    }

    /// One of `bridge`, `host` and `none`. The name is that of the driver as well. The first is made again when the
    /// configuration says something else of it than when it was made.
    fn ensure_default(&self, name: &str, config: &Config) -> Result<()> {
        let mut state = self.lock();
        let options = config.mtu.map(|mtu| ("com.docker.network.driver.mtu".to_owned(), mtu.to_string()));
        let request = Request {
            name: name.to_owned(),
            driver: name.to_owned(),
            interface: Some(self.bridge.clone()),
            ipv4: PoolRequest {
                subnet: config.bridge_address.or(config.bridge_range).map(|address| address.trunc().into()),
                gateway: config.bridge_address.map(|address| address.addr().into()),
                range: config.bridge_range.map(IpNet::from),
                ..PoolRequest::default()
            },
            pools: self.pools.clone(),
            options: options.into_iter().collect(),
            ..Request::default()
        };
        let known = state.networks.values().map(|held| &held.network).find(|network| network.name == name);
        if known.is_some_and(|network| name != "bridge" || agrees(network, &request)) {
            return Ok(());
        }
        let id = known.map_or_else(new_id, |network| Ok(network.id.clone()))?;
        let taken = taken(&state, Some(&id))?;
        let network = Network::plan(request, &id, &Timestamp::now().to_string(), &taken)?;
        self.keep(&mut state, network)
    }

    /// Writes a network's record, then remembers it.
    fn keep(&self, state: &mut State, network: Network) -> Result<()> {
        let directory = self.directory(&network.id);
        crate::engine::directory(&directory, 0o700)?;
        record::write(&directory.join(RECORD), &network, Durability::Power)?;
        state.networks.insert(network.id.clone(), Held::new(network));
        Ok(())
    }

    fn directory(&self, id: &str) -> PathBuf {
        self.root.join(id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The id of the network that `name` means: its id, its name, or the beginning of its id, in this order, so that a network
    /// with another's id for a name does not hide it.
    fn find(&self, name: &str) -> Result<String> {
        let name = if name == "default" { "bridge" } else { name };
        if self.networks.contains_key(name) {
            return Ok(name.to_owned());
        }
        if let Some(held) = self.networks.values().find(|held| held.network.name == name) {
            return Ok(held.network.id.clone());
        }
        let mut ids = self.networks.keys().filter(|id| !name.is_empty() && id.starts_with(name));
        match (ids.next(), ids.next()) {
            (Some(id), None) => Ok(id.clone()),
            (Some(_), Some(_)) => {
                Err(Error::invalid(format!("network {name} is ambiguous: several ids begin with it")))
            }
            (None, _) => Err(Error::not_found(format!("network {name} not found"))),
        }
    }

    fn held(&mut self, id: &str) -> Result<&mut Held> {
        self.networks.get_mut(id).ok_or_else(|| Error::not_found(format!("network {id} not found")))
    }
}

/// Subnets that a network must not overlap: those of the other networks (than `but`), and those that the host has routes to.
fn taken(state: &State, but: Option<&str>) -> Result<Vec<IpNet>> {
    let others = state.networks.values().map(|held| &held.network).filter(|network| Some(network.id.as_str()) != but);
    let mut taken: BTreeSet<IpNet> = others.flat_map(Network::subnets).collect();
    taken.extend(netlink::host_subnets(&mut netlink::Socket::route()?)?);
    Ok(taken.into_iter().collect())
}

/// 64 hexadecimal digits that nobody has had before.
fn new_id() -> Result<String> {
    let mut halves = [[0; 16]; 2];
    for half in &mut halves {
        rustix::rand::getrandom(half, GetRandomFlags::empty()).during("ask the kernel for", "random bytes")?;
    }
    Ok(halves.map(|half| format!("{:032x}", u128::from_ne_bytes(half))).concat())
}

/// Whether the default network is as the configuration wants it. What the configuration leaves open agrees with anything.
fn agrees(network: &Network, wanted: &Request) -> bool {
    network.interface == wanted.interface
        && network.options == wanted.options
        && network.ipv4.as_ref().is_some_and(|pool| {
            wanted.ipv4.subnet.is_none_or(|subnet| subnet == pool.subnet)
                && wanted.ipv4.gateway.is_none_or(|gateway| gateway == pool.gateway)
                && wanted.ipv4.range.is_none_or(|range| Some(range.trunc()) == pool.range)
        })
}

/// Whether a network is one of the three that are always there.
fn is_default(network: &Network) -> bool {
    matches!(network.name.as_str(), "bridge" | "host" | "none")
}

/// Whether containers find each other by name in a network: in those that people have made, as with docker.
fn has_names(network: &Network) -> bool {
    !is_default(network)
}
