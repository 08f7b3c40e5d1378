//! Which address a container gets: the lowest that is free. Pure; the engine keeps one of these for each network in memory
//! and can make it again at any time from its containers' records.
//!
//! ```text
//! 172.17.0.0/16   .0.0      the subnet itself       never
//!                 .0.1      the bridge              never: the gateway
//!                 .0.2 …    containers
//!                 .255.255  everybody (broadcast)   never
//! ```
//!
//! The lowest first, because it is what people expect from docker, and an address that is used again soon is no harm: its
//! hardware address is made from it, so nobody's ARP table (arp(7)) is wrong about it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use namespaces::{Failure, Result};

use crate::pool::Pool;

/// The addresses of one network, of one family, and which of them are in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipam {
    pool: Pool,
    /// Claimed, and those that never are given.
    used: BTreeSet<IpAddr>,
}

impl Ipam {
    /// All addresses of `pool` are free, but the gateway, the subnet's own (its first), the broadcast address (its last), and
    /// those that are reserved.
    pub fn new(pool: Pool) -> Self {
        let used = never(&pool).collect();
        Self { pool, used }
    }

    /// The same, with the addresses that records say are in use.
    pub fn with_used(pool: Pool, used: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut ipam = Self::new(pool);
        ipam.used.extend(used);
        ipam
    }

    /// Takes the lowest free address.
    ///
    /// # Errors
    /// When there is none.
    pub fn claim_next(&mut self) -> Result<IpAddr> {
        // SOLUTION ipam
        let range = self.pool.range.unwrap_or(self.pool.subnet);
        let address = all(range.network(), range.broadcast()).find(|address| !self.used.contains(address));
        let address = address.ok_or_else(|| {
            let family = if range.network().is_ipv4() { "IPv4" } else { "IPv6" };
            let cause = format!("no available {family} addresses on this network's address pools");
            Failure::new("find a free address in", cause)
                .on(range)
                .hint("Remove containers from the network, or make one with a larger --subnet.")
        })?;
        self.used.insert(address);
        Ok(address)
        // END SOLUTION
    }

    /// Takes this address, anywhere in the subnet.
    ///
    /// # Errors
    /// When it is outside of the subnet or in use.
    pub fn claim(&mut self, address: IpAddr) -> Result<()> {
        if !self.pool.subnet.contains(&address) {
            let cause =
                format!("no configured subnet contains IP address {address} (the network's is {})", self.pool.subnet);
            return Err(Failure::new("use the address", cause).on(address));
        }
        if !self.used.insert(address) {
            return Err(Failure::new("use the address", "Address already in use")
                .on(address)
                .hint("Another container or the gateway has it. Leave out --ip to get one that is free."));
        }
        Ok(())
    }

    /// Gives an address back. Giving back one that is free, or reserved for ever, does nothing.
    pub fn release(&mut self, address: IpAddr) {
        if !never(&self.pool).any(|reserved| reserved == address) {
            self.used.remove(&address);
        }
    }

    /// Whether nobody has the address.
    pub fn is_free(&self, address: IpAddr) -> bool {
        self.pool.subnet.contains(&address) && !self.used.contains(&address)
    }

    /// The addresses it gives from.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

/// What no container gets. (IPv6 has no broadcast address, but the last of a subnet is nothing to miss.)
fn never(pool: &Pool) -> impl Iterator<Item = IpAddr> + '_ {
    [pool.gateway, pool.subnet.network(), pool.subnet.broadcast()].into_iter().chain(pool.reserved.values().copied())
}

/// All addresses from the first to the last, which are of one family. An IPv6 subnet has more than anybody can count, so they
/// are made one by one, and whoever looks for a free one stops at the first.
fn all(first: IpAddr, last: IpAddr) -> Box<dyn Iterator<Item = IpAddr>> {
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            Box::new((u32::from(first)..=u32::from(last)).map(|number| Ipv4Addr::from(number).into()))
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            Box::new((u128::from(first)..=u128::from(last)).map(|number| Ipv6Addr::from(number).into()))
        }
        _ => Box::new(std::iter::empty()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ipnet::IpNet;
    use proptest::prelude::*;

    use super::*;

    fn pool(subnet: &str) -> Pool {
        let subnet: IpNet = subnet.parse().unwrap();
        Pool { subnet, gateway: subnet.hosts().next().unwrap(), range: None, reserved: BTreeMap::new(), chosen: false }
    }

    fn last(address: IpAddr) -> u8 {
        match address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(address) => address.octets()[15],
        }
    }

    #[test]
    fn a_large_ipv6_subnet_and_what_is_reserved_in_it() {
        let reserved = BTreeMap::from([("router".to_owned(), "fd00::3".parse().unwrap())]);
        let gateway = "fd00::1".parse().unwrap();
        let mut ipam = Ipam::new(Pool { gateway, reserved, ..pool("fd00::/64") });
        let given: [IpAddr; 2] = std::array::from_fn(|_| ipam.claim_next().unwrap());
        assert_eq!(given.map(|address| address.to_string()), ["fd00::2", "fd00::4"]);
        ipam.release("fd00::3".parse().unwrap());
        assert!(!ipam.is_free("fd00::3".parse().unwrap()), "what is reserved is not given back");
    }

    #[test]
    fn the_lowest_free_address_comes_first() {
        let mut ipam = Ipam::new(pool("172.17.0.0/16"));
        let [first, second, third]: [IpAddr; 3] = std::array::from_fn(|_| ipam.claim_next().unwrap());
        assert_eq!([first, second, third].map(last), [2, 3, 4]);
        ipam.release(second);
        assert_eq!(ipam.claim_next().unwrap(), second);
    }

    #[test]
    fn a_range_narrows_what_is_given_but_not_what_may_be_asked_for() {
        let range = "10.0.0.16/30".parse().unwrap();
        let mut ipam = Ipam::new(Pool { range: Some(range), ..pool("10.0.0.0/24") });
        let given: Vec<u8> = std::iter::from_fn(|| ipam.claim_next().ok()).map(last).collect();
        assert_eq!(given, [16, 17, 18, 19]);
        ipam.claim([10, 0, 0, 200].into()).unwrap();
    }

    #[test]
    fn a_refusal_says_why_and_what_to_do() {
        let mut ipam = Ipam::new(pool("10.0.0.0/30"));
        ipam.claim_next().unwrap();
        let full = ipam.claim_next().unwrap_err();
        let taken = ipam.claim([10, 0, 0, 2].into()).unwrap_err();
        let outside = ipam.claim([10, 0, 1, 2].into()).unwrap_err();
        insta::assert_snapshot!([full, taken, outside].map(|failure| failure.to_string()).join("\n"), @r"
        cannot find a free address in 10.0.0.0/30: no available IPv4 addresses on this network's address pools
        cannot use the address 10.0.0.2: Address already in use
        cannot use the address 10.0.1.2: no configured subnet contains IP address 10.0.1.2 (the network's is 10.0.0.0/30)
        ");
    }

    /// What is done to the addresses of a network.
    #[derive(Debug, Clone)]
    enum Act {
        Next,
        Claim(u8),
        Release(u8),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![Just(Act::Next), any::<u8>().prop_map(Act::Claim), any::<u8>().prop_map(Act::Release)];
        proptest::collection::vec(act, 0..200)
    }

    proptest! {
        /// No address is given twice; the subnet's own, the broadcast address and the gateway never are; and what was
        /// given back can be had again.
        #[test]
        fn an_address_belongs_to_one_container_at_a_time(prefix in 24u8..=30, acts in acts()) {
            let subnet = IpNet::new([10, 0, 0, 0].into(), prefix).unwrap();
            let gateway = IpAddr::from([10, 0, 0, 1]);
            let mut ipam = Ipam::new(Pool { subnet, gateway, range: None, reserved: BTreeMap::new(), chosen: false });
            let mut held = BTreeSet::new();
            for act in acts {
                let claimed = match act {
                    Act::Next => ipam.claim_next().ok(),
                    Act::Claim(last) => {
                        let address = IpAddr::from([10, 0, 0, last]);
                        ipam.claim(address).is_ok().then_some(address)
                    }
                    Act::Release(last) => {
                        let address = IpAddr::from([10, 0, 0, last]);
                        ipam.release(address);
                        if held.remove(&address) {
                            prop_assert!(ipam.is_free(address));
                        }
                        None
                    }
                };
                if let Some(address) = claimed {
                    prop_assert!(held.insert(address), "{address} was given twice");
                    prop_assert!(subnet.contains(&address));
                    prop_assert!(![gateway, subnet.network(), subnet.broadcast()].contains(&address));
                }
            }
            let again = Ipam::with_used(ipam.pool().clone(), held);
            prop_assert_eq!(again, ipam, "records are enough to make it again");
        }
    }
}
