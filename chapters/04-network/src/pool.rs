//! Which subnet a network gets: a free one among those that docker also takes, or the one that was asked for.
//!
//! "Free" is about more than our own networks. A subnet that the host already has a route to (the office's VPN, say, or
//! another engine's bridge) would be out of reach for the host from the moment our bridge has an address in it. So the host's
//! routes count as taken. They may change later; nobody can help that, and the user can choose with `--subnet`.
//!
//! With IPv6 there is nothing to choose: a network makes up its own subnet, which nobody else in the world has. Of the 128 bits
//! of an address, 64 say which subnet:
//!
//! ```text
//!   fd  a1b2c3d4e5  0000  : ................
//!   8   40          16      64 bits
//!   │   │           │       which machine
//!   │   │           which subnet of the site: we use one
//!   │   random: which site
//!   private for ever
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use namespaces::{Failure, Result};
use serde::{Deserialize, Serialize};

/// The addresses of one network, of one of the two families.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// All of them: `172.17.0.0/16`, no host bits set.
    pub subnet: IpNet,
    /// The bridge's own, by default the first.
    pub gateway: IpAddr,
    /// The part that containers get addresses from unless they ask for one. `None` is the whole subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<IpNet>,
    /// Addresses that something else has, by its name (docker's `--aux-address`): no container gets them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reserved: BTreeMap<String, IpAddr>,
    /// Whether nobody asked for this subnet: it was free.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub chosen: bool,
}

impl Pool {
    /// The gateway as the bridge holds it: `172.17.0.1/16`.
    pub fn gateway_with_prefix(&self) -> IpNet {
        self.with_prefix(self.gateway)
    }

    /// `address` as a container's interface holds it: `172.17.0.2/16`.
    pub fn with_prefix(&self, address: IpAddr) -> IpNet {
        IpNet::new(address, self.subnet.prefix_len()).unwrap_or_else(|_| address.into())
    }
}

/// What is asked of a network's addresses of one family. Empty: whatever is free.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolRequest {
    /// `None` chooses one that is free.
    pub subnet: Option<IpNet>,
    /// `None` is the subnet's first address.
    pub gateway: Option<IpAddr>,
    /// See [`Pool::range`].
    pub range: Option<IpNet>,
    /// See [`Pool::reserved`].
    pub reserved: BTreeMap<String, IpAddr>,
}

/// A place that subnets are taken from (dockerd's `--default-address-pool base=10.10.0.0/16,size=24`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressPool {
    /// All of it.
    pub base: IpNet,
    /// Prefix length of each subnet.
    pub size: u8,
}

impl FromStr for AddressPool {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = |key: &str| text.split(',').find_map(|part| part.trim().strip_prefix(key)?.strip_prefix('='));
        let form = || format!("{text:?} is not base=10.10.0.0/16,size=24");
        let base: IpNet = value("base").and_then(|base| base.parse().ok()).ok_or_else(form)?;
        let size = value("size").and_then(|size| size.parse().ok()).ok_or_else(form)?;
        let largest = if matches!(base, IpNet::V4(_)) { 30 } else { 126 };
        if size < base.prefix_len() || size > largest {
            return Err(format!("{text:?}: the size is a prefix length from {} to {largest}", base.prefix_len()));
        }
        Ok(Self { base: base.trunc(), size })
    }
}

impl AddressPool {
    /// Its subnets, in order.
    fn subnets(self) -> Box<dyn Iterator<Item = IpNet>> {
        match self.base {
            IpNet::V4(base) => Box::new(base.subnets(self.size).into_iter().flatten().map(IpNet::V4)),
            IpNet::V6(base) => Box::new(base.subnets(self.size).into_iter().flatten().map(IpNet::V6)),
        }
    }
}

/// A free IPv4 subnet for a new network: from `pools`, or of docker's choice, 172.17.0.0/16 to 172.31.0.0/16 and then
/// 192.168.0.0/20 to 192.168.240.0/20.
pub fn choose_subnet(pools: &[AddressPool], taken: &[IpNet]) -> Option<IpNet> {
    let ours = || pools.iter().filter(|pool| matches!(pool.base, IpNet::V4(_)));
    let free = |candidate: &IpNet| !overlaps(*candidate, taken);
    match ours().next() {
        Some(_) => ours().flat_map(|pool| pool.subnets()).find(free),
        None => candidates().find(free),
    }
}

/// Large ones first: 65 534 addresses each, then sixteen of 4094. All are private (RFC 1918), and outside of 10.0.0.0/8,
/// which companies like to use up.
fn candidates() -> impl Iterator<Item = IpNet> {
    let large = (17..=31).map(|second| Ipv4Net::new_assert(Ipv4Addr::new(172, second, 0, 0), 16));
    let small = (0..=240).step_by(16).map(|third| Ipv4Net::new_assert(Ipv4Addr::new(192, 168, third, 0), 20));
    large.chain(small).map(IpNet::V4)
}

/// A free IPv6 subnet: from `pools`, or `fd`, the first ten digits of the network's id and zeros: a unique local prefix with
/// forty random bits (RFC 4193).
fn choose_subnet6(pools: &[AddressPool], id: &str, taken: &[IpNet]) -> Option<IpNet> {
    let mut ours = pools.iter().filter(|pool| matches!(pool.base, IpNet::V6(_))).peekable();
    if ours.peek().is_some() {
        return ours.flat_map(|pool| pool.subnets()).find(|candidate| !overlaps(*candidate, taken));
    }
    let global = u128::from_str_radix(id.get(..10).unwrap_or(id), 16).ok()?;
    let own = IpNet::V6(Ipv6Net::new(Ipv6Addr::from(0xfd << 120 | global << 80), 64).ok()?);
    (!overlaps(own, taken)).then_some(own)
}

/// Two prefixes overlap when one contains the other. The default route (prefix length 0) is no claim on addresses.
pub fn overlaps(subnet: IpNet, taken: &[IpNet]) -> bool {
    // SOLUTION net-overlaps
    taken.iter().any(|other| other.prefix_len() > 0 && (other.contains(&subnet) || subnet.contains(other)))
    // END SOLUTION
}

/// Decides the IPv4 addresses of a new network: the subnet, and the bridge's own address in it, the containers' gateway.
pub(crate) fn plan(request: &PoolRequest, pools: &[AddressPool], taken: &[IpNet]) -> Result<Pool> {
    complete(request, taken, || {
        choose_subnet(pools, taken).ok_or_else(|| {
            let all = if pools.is_empty() { "172.17.0.0/16 to 172.31.0.0/16 and 192.168.0.0/16" } else { "the pools" };
            Failure::new("choose a subnet", format_args!("all of {all} is in use"))
                .hint("Remove a network that is not needed, or give --subnet.")
        })
    })
}

/// The same for IPv6. `id` is the network's.
pub(crate) fn plan6(request: &PoolRequest, pools: &[AddressPool], id: &str, taken: &[IpNet]) -> Result<Pool> {
    complete(request, taken, || {
        choose_subnet6(pools, id, taken)
            .ok_or_else(|| Failure::new("choose a subnet", "no IPv6 subnet is free").hint("Give --subnet."))
    })
}

/// Fills in what the request leaves open, and refuses what does not go together.
fn complete(request: &PoolRequest, taken: &[IpNet], choose: impl FnOnce() -> Result<IpNet>) -> Result<Pool> {
    let subnet = match request.subnet {
        Some(subnet) => wanted_subnet(subnet.trunc(), taken)?,
        None => choose()?,
    };
    let gateway = request.gateway.or_else(|| first_host(subnet)).unwrap_or(subnet.network());
    let unusable = |address: IpAddr| {
        !subnet.contains(&address)
            || address == subnet.network()
            || (address.is_ipv4() && address == subnet.broadcast())
    };
    if unusable(gateway) {
        return Err(
            Failure::new("use the gateway", format_args!("it is no address of the subnet {subnet}")).on(gateway)
        );
    }
    if let Some(range) = request.range.filter(|range| !subnet.contains(range)) {
        return Err(Failure::new("use the address range", format_args!("it is not in the subnet {subnet}")).on(range));
    }
    if let Some((name, address)) = request.reserved.iter().find(|(_, address)| unusable(**address)) {
        let cause = format!("it is no address of the subnet {subnet}");
        return Err(Failure::new("reserve the address", cause).on(format_args!("{name}={address}")));
    }
    let range = request.range.map(|range| range.trunc());
    Ok(Pool { subnet, gateway, range, reserved: request.reserved.clone(), chosen: request.subnet.is_none() })
}

/// The first address after the subnet's own. (`hosts()` of an IPv6 subnet begins with its own, which is there the address of
/// "any router of the subnet": RFC 4291, 2.6.1.)
fn first_host(subnet: IpNet) -> Option<IpAddr> {
    match subnet {
        IpNet::V4(subnet) => subnet.hosts().next().map(IpAddr::V4),
        IpNet::V6(subnet) => Some(IpAddr::V6(Ipv6Addr::from(u128::from(subnet.network()).checked_add(1)?))),
    }
}

/// Checks the subnet that was asked for. The words for one that is taken are docker's: clients look for them.
fn wanted_subnet(subnet: IpNet, taken: &[IpNet]) -> Result<IpNet> {
    let refuse = |cause: &str| Err(Failure::new("use the subnet", cause).on(subnet));
    if subnet.prefix_len() + 2 > subnet.max_prefix_len() {
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

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn choose(taken: &[IpNet]) -> Option<IpNet> {
        choose_subnet(&[], taken)
    }

    #[test]
    fn a_subnet_is_chosen_around_what_is_in_use() {
        assert_eq!(choose(&[]), Some(net("172.17.0.0/16")));
        // The default route covers everything and claims nothing.
        assert_eq!(choose(&[net("0.0.0.0/0")]), Some(net("172.17.0.0/16")));
        // Part of one, and a route over many.
        assert_eq!(choose(&[net("172.17.5.0/24"), net("172.18.0.1/32")]), Some(net("172.19.0.0/16")));
        assert_eq!(choose(&[net("172.16.0.0/12")]), Some(net("192.168.0.0/20")));
        assert_eq!(choose(&[net("172.16.0.0/12"), net("192.168.1.0/24")]), Some(net("192.168.16.0/20")));
        assert_eq!(choose(&[net("172.16.0.0/12"), net("192.168.0.0/16")]), None);
    }

    #[test]
    fn pools_of_ones_own_come_before_dockers() {
        let pools = ["base=10.10.0.0/23,size=24", "base=10.20.0.0/24,size=24", "base=fd12::/48,size=64"];
        let pools = pools.map(|text| text.parse::<AddressPool>().unwrap());
        assert_eq!(choose_subnet(&pools, &[]), Some(net("10.10.0.0/24")));
        assert_eq!(choose_subnet(&pools, &[net("10.10.0.0/23")]), Some(net("10.20.0.0/24")));
        assert_eq!(choose_subnet(&pools, &[net("10.0.0.0/8")]), None);
        assert_eq!(choose_subnet6(&pools, "", &[net("fd12::/64")]), Some(net("fd12:0:0:1::/64")));
        for text in ["10.10.0.0/16", "base=10.10.0.0/16", "base=10.10.0.0/16,size=8", "base=10.10.0.0/16,size=31"] {
            text.parse::<AddressPool>().unwrap_err();
        }
    }

    #[test]
    fn a_network_makes_up_its_own_ipv6_subnet() {
        let pool = plan6(&PoolRequest::default(), &[], "0123456789abcdef", &[]).unwrap();
        assert_eq!((pool.subnet, pool.gateway.to_string().as_str()), (net("fd01:2345:6789::/64"), "fd01:2345:6789::1"));
        plan6(&PoolRequest::default(), &[], "0123456789abcdef", &[net("fd00::/8")]).unwrap_err();
    }

    #[test]
    fn a_wish_that_cannot_be_is_refused() {
        let taken = [net("10.0.0.0/8")];
        let request = |subnet: &str, gateway: Option<&str>, range: Option<&str>| PoolRequest {
            subnet: Some(net(subnet)),
            gateway: gateway.map(|text| text.parse().unwrap()),
            range: range.map(net),
            ..PoolRequest::default()
        };
        let reserved = BTreeMap::from([("printer".to_owned(), "192.168.1.9".parse().unwrap())]);
        let refused = [
            request("10.1.0.0/16", None, None),
            request("192.168.0.0/31", None, None),
            request("192.168.0.0/24", Some("192.168.1.1"), None),
            request("192.168.0.0/24", Some("192.168.0.255"), None),
            request("192.168.0.0/24", None, Some("192.168.1.0/25")),
            PoolRequest { reserved, ..request("192.168.0.0/24", None, None) },
        ];
        let said = refused.map(|request| plan(&request, &[], &taken).unwrap_err().to_string()).join("\n");
        insta::assert_snapshot!(said, @r"
        cannot use the subnet 10.1.0.0/16: Pool overlaps with other one on this address space
        cannot use the subnet 192.168.0.0/31: it has no room for a gateway and a container
        cannot use the gateway 192.168.1.1: it is no address of the subnet 192.168.0.0/24
        cannot use the gateway 192.168.0.255: it is no address of the subnet 192.168.0.0/24
        cannot use the address range 192.168.1.0/25: it is not in the subnet 192.168.0.0/24
        cannot reserve the address printer=192.168.1.9: it is no address of the subnet 192.168.0.0/24
        ");
        let pool = plan(&request("192.168.5.7/24", None, Some("192.168.5.128/25")), &[], &taken).unwrap();
        assert_eq!((pool.subnet, pool.gateway.to_string().as_str()), (net("192.168.5.0/24"), "192.168.5.1"));
    }
}
