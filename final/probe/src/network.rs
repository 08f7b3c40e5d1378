//! The network interfaces and their addresses, without a single socket.
//!
//! `/proc/net/dev` names the interfaces, `/proc/net/fib_trie` has the IPv4 addresses, `/proc/net/route` says which interface
//! leads to which network (and so which one an address is of), `/proc/net/if_inet6` has the IPv6 addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    /// `eth0`.
    pub(crate) name: String,
    /// `ADDRESS/PREFIX`, IPv4 first.
    pub(crate) addresses: Vec<String>,
    /// Hardware address, where there is one.
    pub(crate) mac: Option<String>,
}

/// One line of `/proc/net/route`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// Interface that it leaves by.
    pub(crate) interface: String,
    /// Network that it is for; 0.0.0.0 with mask 0 is the default route.
    pub(crate) destination: u32,
    /// Mask of that network.
    pub(crate) mask: u32,
    /// Next hop; 0 is none.
    pub(crate) gateway: u32,
}

/// Names in `/proc/net/dev`, after its two lines of headings.
pub(crate) fn names(dev: &str) -> Vec<String> {
    dev.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// Routes from `/proc/net/route`. Addresses there are the bytes in network order read as one number of this machine.
pub(crate) fn routes(text: &str) -> Vec<Route> {
    let number = |hex: &str| u32::from_str_radix(hex, 16).ok().map(u32::from_be);
    let route = |line: &str| {
        let mut fields = line.split_whitespace();
        let (interface, destination, gateway) = (fields.next()?, fields.next()?, fields.next()?);
        let mask = fields.nth(4)?;
        Some(Route {
            interface: interface.to_owned(),
            destination: number(destination)?,
            mask: number(mask)?,
            gateway: number(gateway)?,
        })
    };
    text.lines().skip(1).filter_map(route).collect()
}

/// The next hop of the default route.
pub(crate) fn gateway(routes: &[Route]) -> Option<Ipv4Addr> {
    routes.iter().find(|route| route.mask == 0 && route.gateway != 0).map(|route| Ipv4Addr::from(route.gateway))
}

/// Our own IPv4 addresses: the entries of `fib_trie` marked `/32 host LOCAL`, each once, in order.
pub(crate) fn local_addresses(fib_trie: &str) -> Vec<Ipv4Addr> {
    let mut found: Vec<Ipv4Addr> = Vec::new();
    let mut last = None;
    for line in fib_trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last.filter(|address| !found.contains(address)));
        }
    }
    found
}

/// The interface and prefix length of an address: the most specific route without a next hop that covers it.
fn home(address: Ipv4Addr, routes: &[Route]) -> Option<(&str, u32)> {
    if address.is_loopback() {
        return Some(("lo", 8));
    }
    let covers =
        |route: &&Route| route.mask != 0 && route.gateway == 0 && u32::from(address) & route.mask == route.destination;
    let route = routes.iter().filter(covers).max_by_key(|route| route.mask)?;
    Some((&route.interface, route.mask.count_ones()))
}

/// IPv6 addresses of `/proc/net/if_inet6`, `fe80…01 02 40 20 80 eth0`, as (interface, `ADDRESS/PREFIX`).
fn inet6(text: &str) -> impl Iterator<Item = (&str, String)> {
    text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let &[address, _, prefix, _, _, name] = fields.as_slice() else { return None };
        let address = Ipv6Addr::from(u128::from_str_radix(address, 16).ok()?);
        Some((name, format!("{address}/{}", u8::from_str_radix(prefix, 16).ok()?)))
    })
}

/// The texts that [`interfaces`] is made from.
pub(crate) struct Texts<'a> {
    /// `/proc/net/dev`.
    pub(crate) dev: &'a str,
    /// `/proc/net/fib_trie`.
    pub(crate) fib_trie: &'a str,
    /// `/proc/net/route`.
    pub(crate) route: &'a str,
    /// `/proc/net/if_inet6`; empty where IPv6 is off.
    pub(crate) if_inet6: &'a str,
}

/// Every interface with its addresses. `mac` gives the text of `/sys/class/net/NAME/address`.
pub(crate) fn interfaces(texts: &Texts<'_>, mac: &dyn Fn(&str) -> Option<String>) -> Vec<Interface> {
    let routes = routes(texts.route);
    let addresses = local_addresses(texts.fib_trie);
    let of = |name: &str| {
        let four = addresses.iter().filter_map(|&address| match home(address, &routes) {
            Some((interface, prefix)) if interface == name => Some(format!("{address}/{prefix}")),
            _ => None,
        });
        let six = inet6(texts.if_inet6).filter(|&(interface, _)| interface == name).map(|(_, address)| address);
        four.chain(six).collect()
    };
    let hardware = |name: &str| mac(name).map(|text| text.trim().to_owned()).filter(|text| text != "00:00:00:00:00:00");
    names(texts.dev).into_iter().map(|name| Interface { addresses: of(&name), mac: hardware(&name), name }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEV: &str = "Inter-|   Receive |  Transmit\n face |bytes |bytes\n    lo:       0 0\n  eth0:      90 1\n";
    const ROUTE: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t01F01FAC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        eth0\t00F01FAC\t00000000\t0001\t0\t0\t0\t00F0FFFF\t0\t0\t0\n";
    const TRIE: &str = "Main:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
           |-- 172.31.240.2
              /32 host LOCAL
        |-- 172.31.255.255
           /32 link BROADCAST
Local:
           |-- 172.31.240.2
              /32 host LOCAL
";
    const INET6: &str = "00000000000000000000000000000001 01 80 10 80       lo\nfe8000000000000000429cfffe1ff002 02 40 20 80     eth0\n";

    #[test]
    fn a_bridged_container_has_lo_and_eth0_with_the_bridges_prefix() {
        let mac = |name: &str| (name == "eth0").then(|| "02:42:ac:1f:f0:02\n".to_owned());
        let texts = Texts { dev: DEV, fib_trie: TRIE, route: ROUTE, if_inet6: INET6 };
        let found = interfaces(&texts, &mac);
        let lo = Interface { name: "lo".into(), addresses: vec!["127.0.0.1/8".into(), "::1/128".into()], mac: None };
        let eth0 = Interface {
            name: "eth0".into(),
            addresses: vec!["172.31.240.2/20".into(), "fe80::42:9cff:fe1f:f002/64".into()],
            mac: Some("02:42:ac:1f:f0:02".into()),
        };
        assert_eq!(found, [lo, eth0]);
        assert_eq!(gateway(&routes(ROUTE)), Some(Ipv4Addr::new(172, 31, 240, 1)));
    }

    #[test]
    fn without_a_network_only_lo_is_left() {
        let texts = Texts { dev: "a\nb\n    lo: 0 0\n", fib_trie: "", route: "", if_inet6: "" };
        let found = interfaces(&texts, &|_| None);
        assert_eq!(found, [Interface { name: "lo".into(), addresses: vec![], mac: None }]);
        assert_eq!(gateway(&[]), None);
    }

    #[test]
    fn broken_lines_are_left_out() {
        assert_eq!(routes("head\nshort line\neth0 zz 0 0 0 0 0 0\n"), []);
        assert_eq!(inet6("fe80 01\n").count(), 0);
    }
}
