//! Which subnet a network gets: a free one among those that docker also takes, or the one that was asked for.
//!
//! "Free" is about more than our own networks. A subnet that the host already has a route to (the office's VPN, say, or
//! another engine's bridge) would be out of reach for the host from the moment our bridge has an address in it. So the host's
//! routes count as taken. They may change later; nobody can help that, and the user can choose with `--subnet`.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use namespaces::{Failure, Result};
use serde::{Deserialize, Serialize};

use crate::network::Request;

/// The IPv4 addresses of one network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// All of them: `172.17.0.0/16`, no host bits set.
    pub subnet: Ipv4Net,
    /// The bridge's own, by default the first.
    pub gateway: Ipv4Addr,
    /// The part that containers get addresses from unless they ask for one. `None` is the whole subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Ipv4Net>,
}

impl Pool {
    /// The gateway as the bridge holds it: `172.17.0.1/16`.
    pub fn gateway_with_prefix(&self) -> Ipv4Net {
        Ipv4Net::new_assert(self.gateway, self.subnet.prefix_len())
    }

    /// `address` as a container's interface holds it: `172.17.0.2/16`.
    pub fn with_prefix(&self, address: Ipv4Addr) -> Ipv4Net {
        Ipv4Net::new_assert(address, self.subnet.prefix_len())
    }
}

/// A free subnet for a new network: 172.17.0.0/16 to 172.31.0.0/16, then 192.168.0.0/20 to 192.168.240.0/20.
pub fn choose_subnet(taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    candidates().find(|candidate| !overlaps(*candidate, taken))
}

/// A free subnet for the default network. The same choice: docker's default network has simply been made first.
pub fn choose_default_subnet(taken: &[Ipv4Net]) -> Option<Ipv4Net> {
    choose_subnet(taken)
}

/// Large ones first: 65 534 addresses each, then sixteen of 4094. All are private (RFC 1918), and outside of 10.0.0.0/8,
/// which companies like to use up.
fn candidates() -> impl Iterator<Item = Ipv4Net> {
    let large = (17..=31).map(|second| Ipv4Net::new_assert(Ipv4Addr::new(172, second, 0, 0), 16));
    let small = (0..=240).step_by(16).map(|third| Ipv4Net::new_assert(Ipv4Addr::new(192, 168, third, 0), 20));
    large.chain(small)
}

/// Two prefixes overlap when one contains the other. The default route (prefix length 0) is no claim on addresses.
fn overlaps(subnet: Ipv4Net, taken: &[Ipv4Net]) -> bool {
    // SOLUTION net-overlaps
    taken.iter().any(|other| other.prefix_len() > 0 && (other.contains(&subnet) || subnet.contains(other)))
    // END SOLUTION
}

/// Decides the addresses of a new network: the subnet, and the bridge's own address in it, which is the containers' gateway.
pub(crate) fn plan(request: &Request, taken: &[Ipv4Net]) -> Result<Pool> {
    let subnet = match request.subnet {
        Some(subnet) => wanted_subnet(subnet.trunc(), taken)?,
        None => choose_subnet(taken).ok_or_else(|| {
            Failure::new("choose a subnet", "all of 172.17.0.0/16 to 172.31.0.0/16 and 192.168.0.0/16 is in use")
                .hint("Remove a network that is not needed, or give --subnet.")
        })?,
    };
    let gateway = request.gateway.or_else(|| subnet.hosts().next()).unwrap_or(subnet.network());
    if !subnet.contains(&gateway) || gateway == subnet.network() || gateway == subnet.broadcast() {
        return Err(
            Failure::new("use the gateway", format_args!("it is no address of the subnet {subnet}")).on(gateway)
        );
    }
    if let Some(range) = request.ip_range.filter(|range| !subnet.contains(range)) {
        return Err(Failure::new("use the address range", format_args!("it is not in the subnet {subnet}")).on(range));
    }
    Ok(Pool { subnet, gateway, range: request.ip_range.map(|range| range.trunc()) })
}

/// Checks the subnet that was asked for. The words for one that is taken are docker's: clients look for them.
fn wanted_subnet(subnet: Ipv4Net, taken: &[Ipv4Net]) -> Result<Ipv4Net> {
    let refuse = |cause: &str| Err(Failure::new("use the subnet", cause).on(subnet));
    if subnet.prefix_len() > 30 {
        return refuse("it has no room for a gateway and a container");
    }
    if overlaps(subnet, taken) {
        return refuse("Pool overlaps with other one on this address space");
    }
    Ok(subnet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    #[test]
    fn a_subnet_is_chosen_around_what_is_in_use() {
        assert_eq!(choose_subnet(&[]), Some(net("172.17.0.0/16")));
        // The default route covers everything and claims nothing.
        assert_eq!(choose_subnet(&[net("0.0.0.0/0")]), Some(net("172.17.0.0/16")));
        // Part of one, and a route over many.
        assert_eq!(choose_subnet(&[net("172.17.5.0/24"), net("172.18.0.1/32")]), Some(net("172.19.0.0/16")));
        assert_eq!(choose_subnet(&[net("172.16.0.0/12")]), Some(net("192.168.0.0/20")));
        assert_eq!(choose_subnet(&[net("172.16.0.0/12"), net("192.168.1.0/24")]), Some(net("192.168.16.0/20")));
        assert_eq!(choose_subnet(&[net("172.16.0.0/12"), net("192.168.0.0/16")]), None);
    }

    #[test]
    fn a_wish_that_cannot_be_is_refused() {
        let taken = [net("10.0.0.0/8")];
        let request = |subnet: &str, gateway: Option<&str>, range: Option<&str>| Request {
            subnet: Some(net(subnet)),
            gateway: gateway.map(|text| text.parse().unwrap()),
            ip_range: range.map(net),
            ..Request::default()
        };
        let refused = [
            request("10.1.0.0/16", None, None),
            request("192.168.0.0/31", None, None),
            request("192.168.0.0/24", Some("192.168.1.1"), None),
            request("192.168.0.0/24", Some("192.168.0.255"), None),
            request("192.168.0.0/24", None, Some("192.168.1.0/25")),
        ];
        let said = refused.map(|request| plan(&request, &taken).unwrap_err().to_string()).join("\n");
        insta::assert_snapshot!(said, @r"
        cannot use the subnet 10.1.0.0/16: Pool overlaps with other one on this address space
        cannot use the subnet 192.168.0.0/31: it has no room for a gateway and a container
        cannot use the gateway 192.168.1.1: it is no address of the subnet 192.168.0.0/24
        cannot use the gateway 192.168.0.255: it is no address of the subnet 192.168.0.0/24
        cannot use the address range 192.168.1.0/25: it is not in the subnet 192.168.0.0/24
        ");
        let pool = plan(&request("192.168.5.7/24", None, Some("192.168.5.128/25")), &taken).unwrap();
        assert_eq!((pool.subnet, pool.gateway), (net("192.168.5.0/24"), Ipv4Addr::new(192, 168, 5, 1)));
    }
}
