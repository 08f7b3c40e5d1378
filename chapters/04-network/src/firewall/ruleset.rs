//! The rules, as nft(8) reads them. Pure: a table's name in, text out.
//!
//! A packet passes *hooks* of the kernel on its way (Netfilter): `prerouting` when it comes in, then `input` when it is for the
//! host or `forward` when it is not, `output` when the host itself made it, and `postrouting` when it goes out. A chain with
//! a hook is asked for every packet there; one of type `nat` only for the first packet of a flow, whose answer is then kept
//! for the rest and undone for the replies. These are the journeys that the rules are for, all to the container's port 80
//! but the last two:
//!
//! | from | to | chains | what happens |
//! |---|---|---|---|
//! | the world | host:8080 | arriving, passing | destination becomes the container; the sender's address stays |
//! | the host | 127.0.0.1:8080 | local, leaving | the same, and the source becomes the bridge |
//! | a neighbour, or itself | host:8080 | arriving, passing, leaving | the same: else the answer would not come back this way |
//! | a neighbour | container:80 | passing (where the bridge is filtered) | `open` has the pair: passes |
//! | the world, or another network | container:80 | passing | neither an answer nor published: dropped |
//! | the container | the world | passing, leaving | source becomes the host |
//! | the container | the host's loopback | guard | dropped |
//!
//! The chain `administrator` is not ours: it is made when it is missing, asked first, and never emptied. A rule there such as
//! `nft add rule inet skiff administrator ip saddr 203.0.113.0/24 drop` sees each packet that passes to or from a container,
//! with the container's address and port; the port of the host is `ct original proto-dst`. (It goes with the table when
//! somebody flushes all rules. What must survive that belongs in a table of one's own.)
//!
//! They are installed once and never changed: what differs from container to container is looked up in sets and maps. The
//! text can be applied to a table that is already there; its elements stay and no packet sees it half-made, because one run
//! of nft is one transaction.

use super::element::{self, Element};

/// The whole text for the table of this name.
///
/// The first part makes what is missing, the second empties the chains, and the third fills them, so that a new version of
/// the engine replaces the rules of an older one.
pub fn ruleset(table: &str) -> String {
    let chains: Vec<&str> = DECLARATIONS.lines().filter_map(|line| line.trim().strip_prefix("chain ")).collect();
    let names = chains.iter().filter_map(|chain| chain.split_whitespace().next()).filter(|name| *name != ADMINISTRATOR);
    let flush: Vec<String> = names.map(|chain| format!("flush chain inet {table} {chain}\n")).collect();
    format!("table inet {table} {{\n{DECLARATIONS}}}\n{}table inet {table} {{\n{RULES}}}\n", flush.concat())
}

/// Text that makes these the only elements of the table's sets and maps.
pub fn contents(table: &str, elements: &[Element]) -> String {
    let sets = element::SETS.map(|set| format!("flush set inet {table} {set}\n"));
    let maps = element::MAPS.map(|map| format!("flush map inet {table} {map}\n"));
    let add = elements.iter().map(|element| format!("add element inet {table} {element}\n"));
    sets.into_iter().chain(maps).chain(add).collect()
}

/// The chain that is the administrator's: made when it is missing, and never emptied.
const ADMINISTRATOR: &str = "administrator";

/// Sets, maps and empty chains. To declare what is there already changes nothing.
const DECLARATIONS: &str = r"	set bridges { type ifname; }
	set subnets { type ipv4_addr; flags interval; }
	set subnets6 { type ipv6_addr; flags interval; }
	set masqueraded { type ipv4_addr; flags interval; }
	set masqueraded6 { type ipv6_addr; flags interval; }
	set internal { type ifname; }
	set open { type ifname . ifname; }
	map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
	map ports6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
	map address_ports { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
	map address_ports6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
	chain guard { type filter hook prerouting priority raw; policy accept; }
	chain arriving { type nat hook prerouting priority dstnat; policy accept; }
	chain local { type nat hook output priority -100; policy accept; }
	chain published { }
	chain administrator { }
	chain passing { type filter hook forward priority filter; policy accept; }
	chain inward { }
	chain entering { type filter hook input priority filter; policy accept; }
	chain leaving { type nat hook postrouting priority srcnat; policy accept; }
";

/// What is in the chains.
const RULES: &str = r"	chain guard {
		# A bridge may send from 127.0.0.1 but nobody may reach the host's loopback through it.
		iifname @bridges ip daddr 127.0.0.0/8 drop
	}
	chain arriving {
		# Only what is for the host itself: a packet that is passing through keeps its own destination.
		fib daddr type local jump published
	}
	chain local {
		fib daddr type local jump published
	}
	chain published {
		# A port of the host is a port of a container. What is not in a map goes on to the host as ever.
		dnat ip to ip daddr . meta l4proto . th dport map @address_ports
		meta nfproto ipv4 dnat ip to meta l4proto . th dport map @ports
		# A packet from ::1 cannot leave the host, whatever becomes of its addresses: the engine relays what it says.
		ip6 saddr ::1 return
		dnat ip6 to ip6 daddr . meta l4proto . th dport map @address_ports6
		meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @ports6
	}
	chain passing {
		# The administrator's own rules come first, and see the container's address and port.
		jump administrator
		oifname @bridges jump inward
		# From a container to the world. An internal network has no world.
		iifname @internal drop
	}
	chain inward {
		# Towards a container: from its own network, as an answer, or by a published port; else not at all.
		iifname . oifname @open accept
		oifname @internal drop
		iifname @internal drop
		ct state established,related accept
		ct status dnat accept
		drop
	}
	chain entering {
		# Nobody behind a bridge may tell the host its way (router advertisement, redirect).
		iifname @bridges icmpv6 type { nd-router-advert, nd-redirect } drop
	}
	chain leaving {
		# A container that used a published port must be answered through the host that changed its packet's destination.
		# (Matched by address: a frame that the bridge itself hands to this hook comes in by no interface.)
		ip saddr @subnets oifname @bridges ct status dnat masquerade
		ip6 saddr @subnets6 oifname @bridges ct status dnat masquerade
		# The world does not know the containers' addresses.
		ip saddr @masqueraded oifname != @bridges masquerade
		ip6 saddr @masqueraded6 oifname != @bridges masquerade
		# 127.0.0.1 is nobody's address outside of the host.
		ip saddr 127.0.0.0/8 oifname @bridges masquerade
	}
";

#[cfg(test)]
mod tests {
    use crate::bridge::Bridge;
    use crate::firewall::{Element, Part, of_bridge};

    #[test]
    fn the_rules() {
        insta::assert_snapshot!("ruleset", super::ruleset("skiff"));
    }

    #[test]
    fn the_elements_of_two_networks_and_a_port() {
        let open = Bridge {
            interface: "skiff0".to_owned(),
            address: "172.17.0.1/16".parse().unwrap(),
            address6: None,
            mtu: None,
            internal: false,
            icc: true,
            masquerade: true,
        };
        let closed = Bridge { interface: "br-1".to_owned(), internal: true, icc: false, ..open.clone() };
        let port = Element {
            set: "ports",
            key: vec![Part::Protocol(crate::Protocol::Udp), Part::Port(53)],
            data: vec![Part::Address([172, 17, 0, 2].into()), Part::Port(5353)],
        };
        let elements = [of_bridge(&open), of_bridge(&closed), vec![port]].concat();
        insta::assert_snapshot!(super::contents("skiff", &elements), @r#"
        flush set inet skiff bridges
        flush set inet skiff subnets
        flush set inet skiff subnets6
        flush set inet skiff masqueraded
        flush set inet skiff masqueraded6
        flush set inet skiff internal
        flush set inet skiff open
        flush map inet skiff ports
        flush map inet skiff ports6
        flush map inet skiff address_ports
        flush map inet skiff address_ports6
        add element inet skiff bridges { "skiff0" }
        add element inet skiff subnets { 172.17.0.0/16 }
        add element inet skiff masqueraded { 172.17.0.0/16 }
        add element inet skiff open { "skiff0" . "skiff0" }
        add element inet skiff bridges { "br-1" }
        add element inet skiff subnets { 172.17.0.0/16 }
        add element inet skiff internal { "br-1" }
        add element inet skiff ports { udp . 53 : 172.17.0.2 . 5353 }
        "#);
    }
}
