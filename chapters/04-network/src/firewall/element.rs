//! What the rules look up: elements of sets and maps. A network is one element in each of a few sets; a published port is
//! one element of a map. So a container that comes or goes never changes a rule, and ten thousand published ports cost a
//! packet one look into a hash table, where a rule for each would be a list to go through.
//!
//! An element is the same value for both of its readers: [`Part::bytes`] is what the kernel gets, `Display` is what nft(8)
//! and people read.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use crate::endpoint::Endpoint;
use crate::network::Bridge;
use crate::port::{Protocol, PublishedPort};

/// The bridges of our networks.
pub(super) const BRIDGES: &str = "bridges";
/// The subnets of our networks.
pub(super) const SUBNETS: &str = "subnets";
/// Those whose containers go into the world with the host's address.
pub(super) const MASQUERADED: &str = "masqueraded";
/// The bridges of networks whose containers reach nothing outside.
pub(super) const INTERNAL: &str = "internal";
/// Pairs of bridges between which everything may pass; each pair is one bridge twice.
pub(super) const OPEN: &str = "open";
/// Ports published on every address of the host.
pub(super) const PORTS: &str = "ports";
/// Ports published on one address of the host.
pub(super) const ADDRESS_PORTS: &str = "address_ports";

/// All sets and maps, in the order in which the rules name them.
pub(super) const SETS: [&str; 7] = [BRIDGES, SUBNETS, MASQUERADED, INTERNAL, OPEN, PORTS, ADDRESS_PORTS];

/// One element of a set, or of a map when it has data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Name of the set or map.
    pub set: &'static str,
    /// What is looked up.
    pub key: Vec<Part>,
    /// What is found. Empty in a set.
    pub data: Vec<Part>,
}

/// One part of a key or of data; parts are concatenated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Name of an interface.
    Interface(String),
    /// An IPv4 address.
    Address(Ipv4Addr),
    /// All addresses of a subnet: the only part of its key.
    Subnet(Ipv4Net),
    /// A protocol.
    Protocol(Protocol),
    /// A port.
    Port(u16),
}

impl Part {
    /// As the kernel has it: network byte order, filled up to a whole number of 32 bit registers; an interface's name fills
    /// sixteen bytes; a subnet is its first address.
    pub fn bytes(&self) -> Vec<u8> {
        let (mut bytes, length) = match self {
            Self::Interface(name) => (name.clone().into_bytes(), 16),
            Self::Address(address) => (address.octets().to_vec(), 4),
            Self::Subnet(subnet) => (subnet.network().octets().to_vec(), 4),
            Self::Protocol(protocol) => (vec![protocol.number()], 4),
            Self::Port(port) => (port.to_be_bytes().to_vec(), 4),
        };
        bytes.resize(length, 0);
        bytes
    }

    /// For a subnet, the first address after it: the kernel has an interval as its start and its end.
    pub fn end(&self) -> Option<Vec<u8>> {
        let Self::Subnet(subnet) = self else { return None };
        Some((u32::from(subnet.broadcast()).wrapping_add(1)).to_be_bytes().to_vec())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(f, "{name:?}"),
            Self::Address(address) => address.fmt(f),
            Self::Subnet(subnet) => subnet.fmt(f),
            Self::Protocol(protocol) => protocol.fmt(f),
            Self::Port(port) => port.fmt(f),
        }
    }
}

/// As nft(8) takes it after the table's name: `ports { tcp . 8080 : 172.17.0.2 . 80 }`.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |parts: &[Part]| parts.iter().map(Part::to_string).collect::<Vec<_>>().join(" . ");
        write!(f, "{} {{ {}", self.set, join(&self.key))?;
        if !self.data.is_empty() {
            write!(f, " : {}", join(&self.data))?;
        }
        f.write_str(" }")
    }
}

/// What the rules must know of a network.
pub fn of_bridge(bridge: &Bridge) -> Vec<Element> {
    let name = || Part::Interface(bridge.interface.clone());
    let element = |set, key| Element { set, key, data: Vec::new() };
    let subnet = || vec![Part::Subnet(bridge.address.trunc())];
    let mut elements = vec![element(BRIDGES, vec![name()]), element(SUBNETS, subnet())];
    if bridge.masquerade && !bridge.internal {
        elements.push(element(MASQUERADED, subnet()));
    }
    if bridge.internal {
        elements.push(element(INTERNAL, vec![name()]));
    }
    if bridge.icc {
        elements.push(element(OPEN, vec![name(), name()]));
    }
    elements
}

/// What the rules must know of a container: its published ports. Nothing of an internal network is published.
pub fn of_endpoint(endpoint: &Endpoint) -> Vec<Element> {
    let ports = if endpoint.bridge.internal { &[] } else { endpoint.ports.as_slice() };
    ports.iter().filter_map(|port| of_port(port, endpoint.address.addr())).collect()
}

/// Both, for all endpoints of a container.
pub fn of_endpoints(endpoints: &[Endpoint]) -> Vec<Element> {
    let both = |endpoint: &Endpoint| [of_bridge(&endpoint.bridge), of_endpoint(endpoint)].concat();
    endpoints.iter().flat_map(both).collect()
}

/// A port on every address of the host is in one map, a port on a single address in another, where the key begins with it.
/// `None` for a port on an IPv6 address of the host, which this table does not know.
fn of_port(port: &PublishedPort, container: Ipv4Addr) -> Option<Element> {
    // SOLUTION net-element-port
    let IpAddr::V4(host) = port.host_ip else { return None };
    let mut key = vec![Part::Protocol(port.protocol), Part::Port(port.host_port)];
    if !host.is_unspecified() {
        key.insert(0, Part::Address(host));
    }
    Some(Element {
        set: if host.is_unspecified() { PORTS } else { ADDRESS_PORTS },
        key,
        data: vec![Part::Address(container), Part::Port(port.container_port)],
    })
    // END SOLUTION
}
