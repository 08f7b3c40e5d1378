//! What a container's record says of its network: enough to attach it, and to give everything back in another process.
//!
//! An endpoint is decided before anything is made, and written down before anything is made. An engine that dies in between
//! finds in the record what may be there, and release takes care of both cases: what is not there is passed over.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use namespaces::{Failure, Result};
use serde::{Deserialize, Serialize};

use crate::driver::Wire;
use crate::network::{Network, interface_name};
use crate::parameter::InterfaceParameter;
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
    /// A namespace of its own with one interface for each endpoint. The default route is by the first that has a
    /// gateway.
    Endpoints(Vec<Endpoint>),
}

impl Attachment {
    /// Whether names are resolved for it: some network of its own has names.
    pub fn has_names(&self) -> bool {
        self.endpoints().iter().any(|endpoint| !endpoint.names.is_empty())
    }

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
    /// From the [`Ipam`](crate::Ipam) of the network's IPv4 addresses.
    pub address: IpAddr,
    /// From that of its IPv6 addresses.
    pub address6: Option<IpAddr>,
    /// `None` is `02:42:` and the address, so that the same address never means two MACs to a neighbour.
    pub mac: Option<[u8; 6]>,
    /// From [`PortClaims`](crate::PortClaims).
    pub ports: Vec<PublishedPort>,
    /// A number that no other endpoint of the container has: 0 gives `eth0`.
    pub index: usize,
    /// What the others in the network call the container, the best name first. Empty where names are not resolved.
    pub names: Vec<String>,
    /// Links: names that only this container has for others in the network, and what those are called by all.
    pub links: Vec<(String, String)>,
    /// Whom the resolver asks for other names. Empty: whom the host asks.
    pub servers: Vec<IpAddr>,
    /// What the interface inside is called. `None` is the network's prefix and the number.
    pub interface: Option<String>,
    /// Addresses besides, of which nobody keeps account: they are used between neighbours only.
    pub link_local: Vec<IpAddr>,
    /// Kernel parameters of the interface: [`InterfaceParameter`].
    pub parameters: Vec<InterfaceParameter>,
}

impl Wish {
    /// This address and nothing else.
    pub fn at(address: impl Into<IpAddr>) -> Self {
        let address = address.into();
        Self {
            address,
            address6: None,
            mac: None,
            ports: Vec::new(),
            index: 0,
            names: Vec::new(),
            links: Vec::new(),
            servers: Vec::new(),
            interface: None,
            link_local: Vec::new(),
            parameters: Vec::new(),
        }
    }
}

/// One interface of a container in one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Id of its network.
    pub network: String,
    /// What the network is on the host.
    pub wire: Wire,
    /// Id of the container.
    pub container: String,
    /// A number that no other endpoint of the container has.
    #[serde(default)]
    pub index: usize,
    /// Interface inside: `eth0`.
    pub interface: String,
    /// The other end of the pair, a port of the bridge: `veth` and 8 digits of the container's id (and of a second
    /// endpoint, its number).
    pub veth: String,
    /// Address inside, with the subnet's prefix: `172.17.0.2/16`.
    pub address: IpNet,
    /// Its IPv6 address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address6: Option<IpNet>,
    /// Where everything outside of the subnet is sent. `None` in an internal network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The same with IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway6: Option<IpAddr>,
    /// Hardware address of the interface inside.
    pub mac: [u8; 6],
    /// Ports of the host that lead here.
    #[serde(default)]
    pub ports: Vec<PublishedPort>,
    /// What the others in the network call the container, the best name first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Names that only this container has for others in the network, and what those are called by all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<(String, String)>,
    /// Whom the resolver asks for other names. Empty: whom the host asks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<IpAddr>,
    /// Addresses besides, with the prefix of all link-local ones: `169.254.3.4/16`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub link_local: Vec<IpNet>,
    /// Kernel parameters of the interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<InterfaceParameter>,
}

impl Endpoint {
    /// Decides the endpoint of `container` in `network`. Pure: nothing is made.
    ///
    /// # Errors
    /// When the network is `host` or `none`, which have no endpoints; a name that no interface can have; an address that is
    /// not link-local.
    pub fn new(network: &Network, container: &str, wish: Wish) -> Result<Self> {
        let (Some(wire), Some(pool)) = (network.wire(), &network.ipv4) else {
            return Err(Failure::new("make an endpoint in", "the network has no interfaces").on(&network.name));
        };
        let way_out = !wire.is_internal();
        let pool6 = network.ipv6.as_ref().filter(|_| wish.address6.is_some());
        Ok(Self {
            network: network.id.clone(),
            wire,
            container: container.to_owned(),
            index: wish.index,
            interface: wish.interface.map_or_else(|| Ok(network.interface_of(wish.index)), interface_name)?,
            veth: veth_name(container, wish.index),
            address: pool.with_prefix(wish.address),
            address6: pool6.zip(wish.address6).map(|(pool, address)| pool.with_prefix(address)),
            gateway: way_out.then_some(pool.gateway),
            gateway6: pool6.filter(|_| way_out).map(|pool| pool.gateway),
            mac: wish.mac.unwrap_or_else(|| mac_of(wish.address)),
            ports: wish.ports,
            names: wish.names,
            links: wish.links,
            servers: wish.servers,
            link_local: wish.link_local.into_iter().map(link_local).collect::<Result<_>>()?,
            parameters: wish.parameters,
        })
    }

    /// The hardware address as people write it: `02:42:ac:11:00:02`.
    pub fn mac_text(&self) -> String {
        mac_text(self.mac)
    }

    /// Whether ports of the host can lead here.
    pub fn can_publish(&self) -> bool {
        self.wire.bridge().is_some_and(|bridge| !bridge.internal)
    }

    /// Its addresses, of one family or of both.
    pub fn addresses(&self) -> impl Iterator<Item = IpNet> {
        [Some(self.address), self.address6].into_iter().flatten()
    }

    /// Its gateways, likewise.
    pub fn gateways(&self) -> impl Iterator<Item = IpAddr> {
        [self.gateway, self.gateway6].into_iter().flatten()
    }
}

/// An address for neighbours only, with the prefix of all of them (RFC 3927, RFC 4291 2.5.6).
fn link_local(address: IpAddr) -> Result<IpNet> {
    let (is_one, prefix) = match address {
        IpAddr::V4(address) => (address.is_link_local(), 16),
        IpAddr::V6(address) => (address.is_unicast_link_local(), 64),
    };
    let net = IpNet::new(address, prefix).ok().filter(|_| is_one);
    net.ok_or_else(|| {
        Failure::new("use the address", format_args!("invalid link local IP address: {address}"))
            .on(address)
            .hint("Link-local addresses begin with 169.254 or fe80.")
    })
}

/// The name of the host's end of the pair: at most 15 bytes, and a hint for people whose it is.
fn veth_name(container: &str, index: usize) -> String {
    let digits = container.get(..8).unwrap_or(container);
    if index == 0 { format!("veth{digits}") } else { format!("veth{digits}{index:x}") }
}

/// The classic rule: locally administered (02), 42, and the (last) four bytes of the address.
pub(crate) fn mac_of(address: IpAddr) -> [u8; 6] {
    let [a, b, c, d] = match address {
        IpAddr::V4(address) => address.octets(),
        IpAddr::V6(address) => address.octets().last_chunk().copied().unwrap_or_default(),
    };
    [0x02, 0x42, a, b, c, d]
}

/// `02:42:ac:11:00:02`.
pub(crate) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
