//! What a container's record says of its network: enough to attach it, and to give everything back in another process.
//!
//! An endpoint is decided before anything is made, and written down before anything is made. An engine that dies in between
//! finds in the record what may be there, and release takes care of both cases: what is not there is passed over.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use ipnet::Ipv4Net;
use namespaces::{Failure, Result};
use serde::{Deserialize, Serialize};

use crate::network::{Bridge, Network};
use crate::port::PublishedPort;

/// The network of one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attachment {
    /// The host's own namespace: nothing is made.
    Host,
    /// A namespace of its own with a loopback and nothing else.
    None,
    /// Another container's namespace, by a path like `/proc/PID/ns/net`.
    Join(PathBuf),
    /// A namespace of its own with one interface for each endpoint. The first has the default route.
    Endpoints(Vec<Endpoint>),
}

impl Attachment {
    /// Its interfaces; none for `host`, `none` and a shared namespace.
    pub fn endpoints(&self) -> &[Endpoint] {
        match self {
            Self::Endpoints(endpoints) => endpoints,
            Self::Host | Self::None | Self::Join(_) => &[],
        }
    }
}

/// What is asked of an endpoint besides its network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// From [`Ipam`](crate::Ipam).
    pub address: Ipv4Addr,
    /// `None` is `02:42:` and the address, so that the same address never means two MACs to a neighbour.
    pub mac: Option<[u8; 6]>,
    /// From [`PortClaims`](crate::PortClaims).
    pub ports: Vec<PublishedPort>,
    /// How many endpoints the container has already: 0 gives `eth0`.
    pub index: usize,
}

/// One interface of a container in one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Id of its network.
    pub network: String,
    /// The network's bridge.
    pub bridge: Bridge,
    /// Id of the container.
    pub container: String,
    /// Interface inside: `eth0`.
    pub interface: String,
    /// The other end of the pair, a port of the bridge: `veth` and 8 digits of the container's id (and of a second
    /// endpoint, its number).
    pub veth: String,
    /// Address inside, with the subnet's prefix: `172.17.0.2/16`.
    pub address: Ipv4Net,
    /// Where everything outside of the subnet is sent. `None` in an internal network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Ipv4Addr>,
    /// Hardware address of the interface inside.
    pub mac: [u8; 6],
    /// Ports of the host that lead here.
    #[serde(default)]
    pub ports: Vec<PublishedPort>,
}

impl Endpoint {
    /// Decides the endpoint of `container` in `network`. Pure: nothing is made.
    ///
    /// # Errors
    /// When the network is `host` or `none`, which have no endpoints.
    pub fn new(network: &Network, container: &str, wish: Wish) -> Result<Self> {
        let (Some(bridge), Some(pool)) = (network.bridge(), network.ipv4) else {
            return Err(Failure::new("make an endpoint in", "the network has no bridge").on(&network.name));
        };
        Ok(Self {
            network: network.id.clone(),
            gateway: (!bridge.internal).then_some(pool.gateway),
            bridge,
            container: container.to_owned(),
            interface: format!("eth{}", wish.index),
            veth: veth_name(container, wish.index),
            address: pool.with_prefix(wish.address),
            mac: wish.mac.unwrap_or_else(|| mac_of(wish.address)),
            ports: wish.ports,
        })
    }

    /// The hardware address as people write it: `02:42:ac:11:00:02`.
    pub fn mac_text(&self) -> String {
        mac_text(self.mac)
    }
}

/// The name of the host's end of the pair: at most 15 bytes, and a hint for people whose it is.
fn veth_name(container: &str, index: usize) -> String {
    let digits = container.get(..8).unwrap_or(container);
    if index == 0 { format!("veth{digits}") } else { format!("veth{digits}{index:x}") }
}

/// The classic rule: locally administered (02), 42, and the four bytes of the address.
pub(crate) fn mac_of(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

/// `02:42:ac:11:00:02`.
pub(crate) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
