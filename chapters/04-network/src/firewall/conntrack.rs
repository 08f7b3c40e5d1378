//! Flows that began before a port was published, or before it was taken back (linux/netfilter/nfnetlink_conntrack.h).
//!
//! Where a packet goes is decided once for each flow, at its first packet; conntrack remembers it. TCP says when a flow ends.
//! With UDP, who keeps sending from the same port keeps the decision alive: a client that asked before the container was
//! there would go on asking the host, and one that asked its predecessor would go on asking the dead. So these are forgotten.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "libc has the constants of netlink's 8 and 16 bit fields as int"
)]

use std::collections::BTreeSet;
use std::net::IpAddr;

use libc::{NFNL_SUBSYS_CTNETLINK, NLM_F_ACK};
use namespaces::Result;

use crate::netlink::{Attributes, Message, Socket};
use crate::port::{Protocol, PublishedPort};

/// Deletes flows; with a filter, those that match it (Linux 5.8).
const IPCTNL_MSG_CT_DELETE: u16 = 2;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const PROTOCOL_NUMBER: u16 = 1;
const PROTOCOL_DESTINATION_PORT: u16 = 3;
const FILTER: u16 = 25;
const FILTER_ORIGINAL: u16 = 1;
/// What of the original direction must match: the protocol's number (bit 3) and the destination port (bit 5).
const NUMBER_AND_PORT: u32 = 1 << 3 | 1 << 5;

/// Forgets the UDP flows to these ports of the host, so that their next packet is decided anew.
pub(super) fn forget<'a>(socket: &mut Socket, ports: impl IntoIterator<Item = &'a PublishedPort>) -> Result<()> {
    let udp = ports.into_iter().filter(|port| port.protocol == Protocol::Udp);
    let ports: BTreeSet<(u8, u16)> = udp.map(|port| (family(port.host_ip), port.host_port)).collect();
    let about = |(_, port): &(u8, u16)| format!("conntrack -D -p udp --orig-port-dst {port}");
    let about: Vec<String> = ports.iter().map(about).collect();
    let messages = ports.iter().zip(&about).map(|((family, port), about)| Message {
        kind: (NFNL_SUBSYS_CTNETLINK as u16) << 8 | IPCTNL_MSG_CT_DELETE,
        flags: NLM_F_ACK as u16,
        body: body(*family, *port),
        about,
    });
    socket.send(&messages.collect::<Vec<_>>())
}

fn family(address: IpAddr) -> u8 {
    (if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

/// "All flows whose original direction has this protocol and this destination port." Without the filter's flags the kernel
/// would take the tuple for a whole one, or (worse) delete all flows.
fn body(family: u8, port: u16) -> Vec<u8> {
    let mut body = Attributes::after_generic(family, 0);
    body.nest(TUPLE_ORIGINAL, |tuple| {
        tuple.nest(TUPLE_PROTOCOL, |protocol| {
            protocol.value(PROTOCOL_NUMBER, &[Protocol::Udp.number()]);
            protocol.value(PROTOCOL_DESTINATION_PORT, &port.to_be_bytes());
        });
    });
    body.nest(FILTER, |filter| filter.value(FILTER_ORIGINAL, &NUMBER_AND_PORT.to_ne_bytes()));
    body.bytes()
}
