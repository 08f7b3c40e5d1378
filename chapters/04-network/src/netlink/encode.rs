//! Operations as rtnetlink messages (rtnetlink(7), linux/if_link.h), and their sending.
//!
//! The one message worth a picture makes a pair, of which one end is a port of the bridge and up, and the other is in
//! another namespace, in one go:
//!
//! ```text
//! RTM_NEWLINK  create, fail when it exists     ifinfomsg { flags: UP }
//!   IFLA_IFNAME   "veth1f2e3d4c"
//!   IFLA_MASTER   7                            number of the bridge
//!   IFLA_LINKINFO
//!     IFLA_INFO_KIND  "veth"
//!     IFLA_INFO_DATA
//!       VETH_INFO_PEER                         ifinfomsg again, for the other end
//!         IFLA_IFNAME     "eth0"
//!         IFLA_ADDRESS    02:42:ac:11:00:02
//!         IFLA_NET_NS_FD  12                   a descriptor of ours: born over there
//! ```
//!
//! Both ends are made with one queue for each direction. The kernel would make one for each processor and then take all but
//! one away again, which costs as much as the rest: each time it waits until no processor can still be using what it takes.
//!
//! The other end cannot be brought up by the same message: it has no partner yet when the kernel makes it (`ENOTCONN`).

use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use ipnet::IpNet;
use libc::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK,
    RTM_NEWROUTE,
};
use namespaces::{Failure, Result};
use netlink_packet_core::Emitable;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage};
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoBridgePort, InfoData, InfoKind, InfoMacVlan, InfoPortData,
    InfoPortKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};

use InfoBridgePort::{BroadcastFlood, Flush, HairpinMode, Isolated, Learning, MulticastFlood, UnicastFlood};

use super::operation::Operation;
use super::read;
use super::socket::{Message, Socket};
use crate::macvlan::Mode;

/// Flags of what makes something. It must not be there yet: whoever finds a stranger under the name wants to know.
const NEW: u16 = (NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL) as u16;
/// Flags of what takes the place of what is there, if anything is.
const REPLACE: u16 = (NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE) as u16;
/// Of an end of a pair: one queue in each direction.
const ONE_QUEUE: [LinkAttribute; 2] = [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)];
/// Flags of what changes something that is there.
const CHANGE: u16 = NLM_F_ACK as u16;

/// Does all of `operations` in the socket's namespace. `netns` is where the inner end of a new pair is born.
///
/// They go out in one batch, except that a link's number must be known before it can be named by number: an operation that
/// needs the number of a link waits until what came before it is done.
pub fn apply(socket: &mut Socket, operations: &[Operation], netns: Option<BorrowedFd<'_>>) -> Result<()> {
    let mut batch = Vec::with_capacity(operations.len());
    for operation in operations {
        let index = match operation.numbered_link() {
            Some(name) => {
                socket.send(&std::mem::take(&mut batch))?;
                read::index(socket, name)?.ok_or_else(|| no_link(name, operation))?
            }
            None => 0,
        };
        let (kind, flags, body) = encode(operation, index, netns);
        batch.push(Message { kind, flags, body, about: operation });
    }
    socket.send(&batch)
}

/// The failure of an operation on a link that is not there, with the errno that the kernel would have given.
fn no_link(name: &str, operation: &Operation) -> Failure {
    Failure {
        errno: Some(libc::ENODEV),
        ..Failure::new("apply", format_args!("there is no interface {name}")).on(operation)
    }
}

impl Operation {
    /// The link that its message names by number.
    fn numbered_link(&self) -> Option<&str> {
        match self {
            Self::AddVeth { bridge, .. } => Some(bridge),
            Self::AddMacvlan { parent, .. } => Some(parent),
            Self::AddAddress { link, .. } | Self::RemoveAddress { link, .. } | Self::Rename { link, .. } => Some(link),
            _ => None,
        }
    }
}

/// Message type, flags and body of one operation. `index` is the number of its [`Operation::numbered_link`].
///
/// A link is changed by `RTM_NEWLINK` without the flag to create it, since that one finds its link by name, and understands
/// the settings of a bridge's port; `RTM_SETLINK` for ports wants a number.
fn encode(operation: &Operation, index: u32, netns: Option<BorrowedFd<'_>>) -> (u16, u16, Vec<u8>) {
    match operation {
        Operation::AddBridge { bridge, mac, mtu } => {
            let mut message = named(bridge);
            message.attributes.push(LinkAttribute::Address(mac.to_vec()));
            message.attributes.extend(mtu.map(LinkAttribute::Mtu));
            message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
            (RTM_NEWLINK, NEW, bytes(&message))
        }
        Operation::AddVeth { veth, interface, mac, mtu, .. } => {
            let mut message = up(named(veth));
            message.attributes.extend(mtu.map(LinkAttribute::Mtu));
            message.attributes.extend(ONE_QUEUE);
            message.attributes.push(LinkAttribute::Controller(index));
            let mut peer = peer(interface, *mac, *mtu, netns);
            peer.attributes.extend(ONE_QUEUE);
            let data = LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)));
            message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), data]));
            (RTM_NEWLINK, NEW, bytes(&message))
        }
        Operation::AddMacvlan { mode, interface, mac, mtu, .. } => {
            let mut message = named(interface);
            message.attributes.push(LinkAttribute::Link(index));
            message.attributes.extend(mac.map(|mac| LinkAttribute::Address(mac.to_vec())));
            message.attributes.extend(mtu.map(LinkAttribute::Mtu));
            message.attributes.extend(netns.map(|fd| LinkAttribute::NetNsFd(fd.as_raw_fd())));
            let data = LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(macvlan_mode(*mode))]));
            message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::MacVlan), data]));
            (RTM_NEWLINK, NEW, bytes(&message))
        }
        Operation::NoLinkLocal { link } => (RTM_NEWLINK, CHANGE, bytes(&no_link_local(link))),
        Operation::SetPort { veth, hairpin, isolated } => {
            let settings = vec![HairpinMode(*hairpin), Isolated(*isolated)];
            (RTM_NEWLINK, CHANGE, bytes(&port(veth, settings)))
        }
        Operation::ClosePort { veth } => {
            let deaf = [UnicastFlood(false), MulticastFlood(false), BroadcastFlood(false)];
            let settings = deaf.into_iter().chain([Learning(false), Flush]).collect();
            (RTM_NEWLINK, CHANGE, bytes(&port(veth, settings)))
        }
        Operation::SetUp { link } => (RTM_NEWLINK, CHANGE, bytes(&up(named(link)))),
        Operation::Rename { name, .. } => {
            // By number, since the name in the message is the new one.
            let mut message = named(name);
            message.header.index = index;
            (RTM_NEWLINK, CHANGE, bytes(&message))
        }
        Operation::SetMtu { link, mtu } => {
            let mut message = named(link);
            message.attributes.push(LinkAttribute::Mtu(*mtu));
            (RTM_NEWLINK, CHANGE, bytes(&message))
        }
        Operation::AddAddress { address, .. } => (RTM_NEWADDR, NEW, bytes(&of_address(index, *address))),
        Operation::RemoveAddress { address, .. } => (RTM_DELADDR, CHANGE, bytes(&of_address(index, *address))),
        Operation::SetDefaultRoute { gateway } => (RTM_NEWROUTE, REPLACE, bytes(&default_route(*gateway))),
        Operation::RemoveLink { link } => (RTM_DELLINK, CHANGE, bytes(&named(link))),
    }
}

/// A message's bytes.
pub(super) fn bytes(message: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

/// A message about the link of this name. In a batch, names work for links that an earlier message makes.
pub(super) fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

/// Adds that the link is to be up: the value of the flag, and that it is this flag which changes.
fn up(mut message: LinkMessage) -> LinkMessage {
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message
}

/// Says that the link's IPv6 addresses are made by nobody.
fn no_link_local(link: &str) -> LinkMessage {
    let mut message = named(link);
    let family = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
    message.attributes.push(LinkAttribute::AfSpecUnspec(vec![family]));
    message
}

/// Settings of a port of a bridge.
fn port(veth: &str, settings: Vec<InfoBridgePort>) -> LinkMessage {
    let mut message = named(veth);
    let data = LinkInfo::PortData(InfoPortData::BridgePort(settings));
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::PortKind(InfoPortKind::Bridge), data]));
    message
}

/// The end inside: the kernel makes it in the namespace that the descriptor refers to.
fn peer(interface: &str, mac: [u8; 6], mtu: Option<u32>, netns: Option<BorrowedFd<'_>>) -> LinkMessage {
    // SOLUTION net-peer
    let mut message = named(interface);
    message.attributes.push(LinkAttribute::Address(mac.to_vec()));
    message.attributes.extend(mtu.map(LinkAttribute::Mtu));
    message.attributes.extend(netns.map(|fd| LinkAttribute::NetNsFd(fd.as_raw_fd())));
    message
    // END SOLUTION
}

fn macvlan_mode(mode: Mode) -> MacVlanMode {
    match mode {
        Mode::Bridge => MacVlanMode::Bridge,
        Mode::Vepa => MacVlanMode::Vepa,
        Mode::Private => MacVlanMode::Private,
        Mode::Passthru => MacVlanMode::Passthrough,
    }
}

/// An address of a link. `IFA_LOCAL` is ours and `IFA_ADDRESS` the other side's, which on Ethernet is the same one. The
/// kernel adds the route to the subnet by itself.
///
/// An IPv6 address is used only after a second in which nobody else claims it (RFC 4862). Ours was given out by us, so the
/// kernel need not ask (`IFA_F_NODAD`).
fn of_address(index: u32, address: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address.addr());
    message.header.prefix_len = address.prefix_len();
    message.header.index = index;
    message.attributes.push(AddressAttribute::Address(address.addr()));
    message.attributes.push(AddressAttribute::Local(address.addr()));
    match address {
        IpNet::V4(address) => message.attributes.push(AddressAttribute::Broadcast(address.broadcast())),
        IpNet::V6(_) => message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad)),
    }
    message
}

/// The route for all that no other route is for: no destination, prefix length 0. By which interface is not said; the kernel
/// finds the one that reaches the gateway, so this must come after the address and after the link is up.
fn default_route(gateway: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(gateway);
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Boot;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Gateway(match gateway {
        IpAddr::V4(gateway) => RouteAddress::Inet(gateway),
        IpAddr::V6(gateway) => RouteAddress::Inet6(gateway),
    }));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}
