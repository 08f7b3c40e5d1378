//! What the kernel says of links, addresses and routes.
//!
//! One thing is asked for by name, all of a kind by a *dump*. Addresses and routes name their interface by number, and a
//! number means something in its namespace only: `eth0` is number 2 in every container.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use libc::{RTM_GETADDR, RTM_GETLINK, RTM_GETROUTE};
use namespaces::{Failure, Result};
use netlink_packet_core::{DecodeError, Parseable as _};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBridgePort, InfoPortData, LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage};

use super::encode::{bytes, named};
use super::socket::Socket;

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// `bridge`, `veth`; empty for hardware and the loopback.
    pub kind: String,
    /// Whether it is in use (`IFF_UP`).
    pub up: bool,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Hardware address.
    pub mac: Vec<u8>,
    /// Number of the bridge it is a port of; 0 for none.
    pub master: u32,
    /// Of a port of a bridge: whether a frame may leave where it came in.
    pub hairpin: bool,
}

/// A route of the main table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Where to. `0.0.0.0/0` is the default route.
    pub destination: IpNet,
    /// By way of whom; `None` for what is reached directly.
    pub gateway: Option<IpAddr>,
    /// Number of the interface.
    pub interface: u32,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.destination.prefix_len() {
            0 => f.write_str("default")?,
            _ => write!(f, "{}", self.destination)?,
        }
        self.gateway.map_or(Ok(()), |gateway| write!(f, " via {gateway}"))
    }
}

/// The interface called `name`.
pub fn link(socket: &mut Socket, name: &str) -> Result<Option<Link>> {
    ask(socket, name)?.map(|bytes| understood(LinkMessage::parse(&bytes)).map(of_message)).transpose()
}

/// All interfaces of the namespace.
pub fn links(socket: &mut Socket) -> Result<Vec<Link>> {
    let mut question = LinkMessage::default();
    question.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    let messages = socket.dump(RTM_GETLINK, &bytes(&question), &"the interfaces")?;
    messages.iter().map(|bytes| understood(LinkMessage::parse(bytes)).map(of_message)).collect()
}

/// The number of the interface called `name`, alone: this is on the path of every start, so the hundreds of bytes that
/// follow it in the answer are not looked at.
pub fn index(socket: &mut Socket, name: &str) -> Result<Option<u32>> {
    ask(socket, name)?.map(|bytes| understood(LinkHeader::parse(&bytes)).map(|header| header.index)).transpose()
}

/// Addresses of the namespace, each with the number of its interface.
pub fn addresses(socket: &mut Socket) -> Result<Vec<(u32, IpNet)>> {
    let question = AddressMessage::default();
    let messages = socket.dump(RTM_GETADDR, &bytes(&question), &"the addresses")?;
    let one = |bytes: &Vec<u8>| {
        let message = understood(AddressMessage::parse(bytes))?;
        // On a wire with two ends, `IFA_ADDRESS` is the other one. IPv6 says only that.
        let local = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Local(address) | AddressAttribute::Address(address @ IpAddr::V6(_)) => Some(*address),
            _ => None,
        });
        let prefixed = local.and_then(|address| IpNet::new(address, message.header.prefix_len).ok());
        Ok(prefixed.map(|address| (message.header.index, address)))
    };
    messages.iter().filter_map(|bytes| one(bytes).transpose()).collect()
}

/// Routes of the main table, of both families.
pub fn routes(socket: &mut Socket) -> Result<Vec<Route>> {
    let question = RouteMessage::default();
    let messages = socket.dump(RTM_GETROUTE, &bytes(&question), &"the routes")?;
    let routes = messages.iter().map(|bytes| understood(RouteMessage::parse(bytes)).map(|message| of_route(&message)));
    routes.filter_map(Result::transpose).collect()
}

/// Subnets that the host reaches: what a new network must not overlap. Every interface has the same link-local one, which
/// is nobody's.
pub fn host_subnets(socket: &mut Socket) -> Result<Vec<IpNet>> {
    let link_local = |subnet: &IpNet| matches!(subnet.addr(), IpAddr::V6(address) if address.is_unicast_link_local());
    let routes = routes(socket)?.into_iter().map(|route| route.destination);
    Ok(routes.filter(|subnet| subnet.prefix_len() > 0 && !link_local(subnet)).collect())
}

/// The kernel's message about the interface called `name`.
fn ask(socket: &mut Socket, name: &str) -> Result<Option<Vec<u8>>> {
    let mut question = named(name);
    // The counters are half of the answer and the dearer half.
    question.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    socket.get(RTM_GETLINK, &bytes(&question), &format_args!("the interface {name}"))
}

/// A message of the kernel that cannot be read is a failure like any other, not a reason to panic.
fn understood<T>(parsed: Result<T, DecodeError>) -> Result<T> {
    parsed.map_err(|error| Failure::new("understand the kernel's netlink answer", error))
}

/// The few attributes that matter here, of some sixty that the kernel sends.
fn of_message(message: LinkMessage) -> Link {
    let header = &message.header;
    let mut link = Link {
        index: header.index,
        name: String::new(),
        kind: String::new(),
        up: header.flags.contains(LinkFlags::Up),
        mtu: 0,
        mac: Vec::new(),
        master: 0,
        hairpin: false,
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(mac) => link.mac = mac,
            LinkAttribute::Controller(master) => link.master = master,
            LinkAttribute::LinkInfo(infos) => infos.iter().for_each(|info| of_info(&mut link, info)),
            _ => {}
        }
    }
    link
}

/// What is special about its kind: here, of a port of a bridge.
fn of_info(link: &mut Link, info: &LinkInfo) {
    match info {
        LinkInfo::Kind(kind) => link.kind = kind.to_string(),
        LinkInfo::PortData(InfoPortData::BridgePort(settings)) => {
            link.hairpin = settings.contains(&InfoBridgePort::HairpinMode(true));
        }
        _ => {}
    }
}

/// A route without a destination is the default route. Routes of other tables (the kernel's own `local` one has a route for
/// each address) are no claim on a subnet.
fn of_route(message: &RouteMessage) -> Option<Route> {
    if message.header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let any = match message.header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut route = Route { destination: IpNet::new(any, 0).ok()?, gateway: None, interface: 0 };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => {
                route.destination = IpNet::new(ip(address)?, message.header.destination_prefix_length).ok()?;
            }
            RouteAttribute::Gateway(gateway) => route.gateway = ip(gateway),
            RouteAttribute::Oif(interface) => route.interface = *interface,
            _ => {}
        }
    }
    Some(route)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}
