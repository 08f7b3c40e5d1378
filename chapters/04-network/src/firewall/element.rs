//! What the rules look up: elements of sets and maps. A network is one element in each of a few sets; a published port is
//! one element of a map. So a container that comes or goes never changes a rule, and ten thousand published ports cost a
//! packet one look into a hash table, where a rule for each would be a list to go through.
//!
//! | set or map | of | looked up with | found |
//! |---|---|---|---|
//! | `bridges` | networks | the interface that a packet comes in or goes out by | |
//! | `open` | networks with icc | both interfaces | |
//! | `internal` | internal networks | either interface | |
//! | `subnets`, `subnets6` | networks | the sender's address | |
//! | `masqueraded`, `masqueraded6` | networks that go out with the host's address | the sender's address | |
//! | `ports`, `ports6` | published ports | protocol, destination port | the container's address and port |
//! | `address_ports`, `address_ports6` | those on one address | destination address, protocol, port | the same |
//!
//! An element is the same value for both of its readers: [`Part::bytes`] is what the kernel gets, `Display` is what nft(8)
//! and people read.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::bridge::Bridge;
use crate::endpoint::Endpoint;
use crate::port::{Protocol, PublishedPort};

/// The bridges of our networks.
pub(super) const BRIDGES: &str = "bridges";
/// The subnets of our networks, IPv4 and IPv6: a set has addresses of one family.
pub(super) const SUBNETS: [&str; 2] = ["subnets", "subnets6"];
/// Those whose containers go into the world with the host's address.
pub(super) const MASQUERADED: [&str; 2] = ["masqueraded", "masqueraded6"];
/// The bridges of networks whose containers reach nothing outside.
pub(super) const INTERNAL: &str = "internal";
/// Pairs of bridges between which everything may pass; each pair is one bridge twice.
pub(super) const OPEN: &str = "open";
/// Ports published on every address of the host.
pub(super) const PORTS: [&str; 2] = ["ports", "ports6"];
/// Ports published on one address of the host.
pub(super) const ADDRESS_PORTS: [&str; 2] = ["address_ports", "address_ports6"];

/// All sets, and all maps.
pub(super) const SETS: [&str; 7] = [BRIDGES, SUBNETS[0], SUBNETS[1], MASQUERADED[0], MASQUERADED[1], INTERNAL, OPEN];
pub(super) const MAPS: [&str; 4] = [PORTS[0], PORTS[1], ADDRESS_PORTS[0], ADDRESS_PORTS[1]];

/// The one of the two names that is for addresses of this family.
fn of_family(names: [&'static str; 2], address: IpAddr) -> &'static str {
    let [four, six] = names;
    if address.is_ipv4() { four } else { six }
}

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
    /// An address.
    Address(IpAddr),
    /// All addresses of a subnet: the only part of its key.
    Subnet(IpNet),
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
            Self::Address(address) => (octets(*address), 4),
            Self::Subnet(subnet) => (octets(subnet.network()), 4),
            Self::Protocol(protocol) => (vec![protocol.number()], 4),
            Self::Port(port) => (port.to_be_bytes().to_vec(), 4),
        };
        bytes.resize(length.max(bytes.len()), 0);
        bytes
    }

    /// For a subnet, the first address after it: the kernel has an interval as its start and its end.
    pub fn end(&self) -> Option<Vec<u8>> {
        let Self::Subnet(subnet) = self else { return None };
        Some(match subnet.broadcast() {
            IpAddr::V4(last) => u32::from(last).wrapping_add(1).to_be_bytes().to_vec(),
            IpAddr::V6(last) => u128::from(last).wrapping_add(1).to_be_bytes().to_vec(),
        })
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
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
    let mut elements = vec![element(BRIDGES, vec![name()])];
    for address in bridge.addresses() {
        let subnet = || vec![Part::Subnet(address.trunc())];
        elements.push(element(of_family(SUBNETS, address.addr()), subnet()));
        if bridge.masquerade && !bridge.internal {
            elements.push(element(of_family(MASQUERADED, address.addr()), subnet()));
        }
    }
    if bridge.internal {
        elements.push(element(INTERNAL, vec![name()]));
    }
    if bridge.icc {
        elements.push(element(OPEN, vec![name(), name()]));
    }
    elements
}

/// What the rules must know of a container: its published ports. Nothing of an internal network is published, and nothing of
/// one without a bridge: those containers are outside already.
pub fn of_endpoint(endpoint: &Endpoint) -> Vec<Element> {
    let ports = if endpoint.can_publish() { endpoint.ports.as_slice() } else { &[] };
    ports.iter().filter_map(|port| of_port(port, endpoint)).collect()
}

/// Both, for all endpoints of a container.
pub fn of_endpoints(endpoints: &[Endpoint]) -> Vec<Element> {
    let both = |endpoint: &Endpoint| [endpoint.wire.driver().describe(), of_endpoint(endpoint)].concat();
    endpoints.iter().flat_map(both).collect()
}

/// A port on every address of the host is in one map, a port on a single address in another, where the key begins with it.
/// A packet keeps its family, so a port on an IPv6 address leads to the container's IPv6 address. `None` when it has none.
fn of_port(port: &PublishedPort, endpoint: &Endpoint) -> Option<Element> {
    let host = port.host_ip;
    let container = endpoint.addresses().map(|net| net.addr()).find(|address| address.is_ipv4() == host.is_ipv4())?;
    // SOLUTION net-element-port
    let mut key = vec![Part::Protocol(port.protocol), Part::Port(port.host_port)];
    if !host.is_unspecified() {
        key.insert(0, Part::Address(host));
    }
    Some(Element {
        set: of_family(if host.is_unspecified() { PORTS } else { ADDRESS_PORTS }, host),
        key,
        data: vec![Part::Address(container), Part::Port(port.container_port)],
    })
    // END SOLUTION
}
