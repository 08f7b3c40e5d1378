//! The rule that leads 127.0.0.11, port 53, to the resolver's sockets, in the container's own namespace:
//!
//! ```text
//! table ip skiff-dns {
//!     chain local {
//!         type nat hook output priority -100;
//!         ip daddr 127.0.0.11 th dport 53 dnat to :41234
//!     }
//! }
//! ```
//!
//! The reply needs no rule: the kernel remembers what it has changed and gives the packet back its port 53 on the way to the
//! client (conntrack). One rule is for UDP and TCP, whose headers have the ports at the same place, and the sockets of both
//! have the same port.
//!
//! | instruction | what it does here |
//! |---|---|
//! | `payload` | the destination address of the packet into register 1 |
//! | `cmp` | ends the rule unless that is 127.0.0.11 |
//! | `payload` | the destination port into register 1 |
//! | `cmp` | ends the rule unless that is 53 |
//! | `immediate` | the sockets' port into register 2 |
//! | `nat` | gives the packet register 2 as its new destination port |
//!
//! By netlink and not by nft(8), which would take longer than all the rest of an attachment. A rule is a list of small
//! instructions that fill and compare registers (linux/netfilter/nf_tables.h).

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "libc has the constants of netlink's 8 and 16 bit fields as int"
)]

use std::fmt::Display;

use libc::{
    NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES, NFT_MSG_DELRULE, NFT_MSG_NEWCHAIN, NFT_MSG_NEWRULE,
    NFT_MSG_NEWTABLE, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE,
};
use namespaces::Result;

use super::RESOLVER;
use crate::netlink::{Attributes, Message, Socket};

const TABLE: &str = "skiff-dns";
const CHAIN: &str = "local";
/// The port that clients ask.
const DOMAIN: u16 = 53;
/// Before the packet leaves; destination addresses are changed here (`NF_IP_PRI_NAT_DST`).
const PRIORITY: i32 = -100;

// Attributes, by the enumerations of linux/netfilter/nf_tables.h.
const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_TYPE: u16 = 7;
const HOOK_HOOKNUM: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const LIST_ELEM: u16 = 1;
const EXPR_NAME: u16 = 1;
const EXPR_DATA: u16 = 2;
const IMMEDIATE_DREG: u16 = 1;
const IMMEDIATE_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const PAYLOAD_DREG: u16 = 1;
const PAYLOAD_BASE: u16 = 2;
const PAYLOAD_OFFSET: u16 = 3;
const PAYLOAD_LEN: u16 = 4;
const CMP_SREG: u16 = 1;
const CMP_OP: u16 = 2;
const CMP_DATA: u16 = 3;
const NAT_TYPE: u16 = 1;
const NAT_FAMILY: u16 = 2;
const NAT_REG_PROTO_MIN: u16 = 5;
/// A new destination (`NFT_NAT_DNAT`).
const NAT_DESTINATION: u32 = 1;

/// Registers, each of 16 bytes (`NFT_REG_1`, `NFT_REG_2`).
const FIRST: u32 = 1;
const SECOND: u32 = 2;

/// Makes the table and the chain where they are missing, and the rule the only one in it.
pub(super) fn install(port: u16) -> Result<()> {
    let mut socket = Socket::netfilter()?;
    let about = format!("nft add rule ip {TABLE} {CHAIN} ip daddr {RESOLVER} th dport {DOMAIN} dnat to :{port}");
    let frame = |kind: i32| {
        let body = Attributes::after_generic(libc::AF_UNSPEC as u8, NFNL_SUBSYS_NFTABLES as u16).bytes();
        Message { kind: kind as u16, flags: 0, body, about: &"an nftables transaction" as &dyn Display }
    };
    let change = |kind: i32, flags: i32, body: Attributes| Message {
        kind: (NFNL_SUBSYS_NFTABLES << 8 | kind) as u16,
        flags: (NLM_F_ACK | flags) as u16,
        body: body.bytes(),
        about: &about,
    };
    socket.send(&[
        frame(NFNL_MSG_BATCH_BEGIN),
        change(NFT_MSG_NEWTABLE, NLM_F_CREATE, table()),
        change(NFT_MSG_NEWCHAIN, NLM_F_CREATE, chain()),
        change(NFT_MSG_DELRULE, 0, of_chain()),
        change(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, rule(port)),
        frame(NFNL_MSG_BATCH_END),
    ])
}

fn table() -> Attributes {
    let mut body = Attributes::after_generic(libc::AF_INET as u8, 0);
    body.string(TABLE_NAME, TABLE);
    body
}

fn chain() -> Attributes {
    let mut body = Attributes::after_generic(libc::AF_INET as u8, 0);
    body.string(CHAIN_TABLE, TABLE);
    body.string(CHAIN_NAME, CHAIN);
    body.nest(CHAIN_HOOK, |hook| {
        hook.value(HOOK_HOOKNUM, &(libc::NF_INET_LOCAL_OUT as u32).to_be_bytes());
        hook.value(HOOK_PRIORITY, &PRIORITY.to_be_bytes());
    });
    body.string(CHAIN_TYPE, "nat");
    body
}

/// Every rule of the chain, where one is to be removed; the place of the new one, where it is to be made.
fn of_chain() -> Attributes {
    let mut body = Attributes::after_generic(libc::AF_INET as u8, 0);
    body.string(RULE_TABLE, TABLE);
    body.string(RULE_CHAIN, CHAIN);
    body
}

fn rule(port: u16) -> Attributes {
    let mut body = of_chain();
    body.nest(RULE_EXPRESSIONS, |list| {
        // The destination address is at byte 16 of the IP header, the destination port at byte 2 of TCP's and UDP's.
        payload(list, libc::NFT_PAYLOAD_NETWORK_HEADER, 16, 4);
        equal(list, &RESOLVER.octets());
        payload(list, libc::NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2);
        equal(list, &DOMAIN.to_be_bytes());
        expression(list, "immediate", |data| {
            data.value(IMMEDIATE_DREG, &SECOND.to_be_bytes());
            data.nest(IMMEDIATE_DATA, |value| {
                value.value(DATA_VALUE, &port.to_be_bytes());
            });
        });
        expression(list, "nat", |data| {
            data.value(NAT_TYPE, &NAT_DESTINATION.to_be_bytes());
            data.value(NAT_FAMILY, &(libc::AF_INET as u32).to_be_bytes());
            data.value(NAT_REG_PROTO_MIN, &SECOND.to_be_bytes());
        });
    });
    body
}

/// Loads a part of the packet into the first register: `length` bytes from `offset` on, counted from the beginning of the
/// header that `base` names.
fn payload(list: &mut Attributes, base: i32, offset: u32, length: u32) {
    expression(list, "payload", |data| {
        data.value(PAYLOAD_DREG, &FIRST.to_be_bytes());
        data.value(PAYLOAD_BASE, &(base as u32).to_be_bytes());
        data.value(PAYLOAD_OFFSET, &offset.to_be_bytes());
        data.value(PAYLOAD_LEN, &length.to_be_bytes());
    });
}

/// Goes on only when the first register has this value.
fn equal(list: &mut Attributes, value: &[u8]) {
    expression(list, "cmp", |data| {
        data.value(CMP_SREG, &FIRST.to_be_bytes());
        data.value(CMP_OP, &(libc::NFT_CMP_EQ as u32).to_be_bytes());
        data.nest(CMP_DATA, |nested| nested.value(DATA_VALUE, value));
    });
}

/// One instruction, by its name: the kernel finds what it does by that, and each has attributes of its own.
fn expression(list: &mut Attributes, name: &str, fill: impl FnOnce(&mut Attributes)) {
    list.nest(LIST_ELEM, |element| {
        element.string(EXPR_NAME, name);
        element.nest(EXPR_DATA, fill);
    });
}
