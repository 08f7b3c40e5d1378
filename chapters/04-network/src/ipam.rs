//! Which address a container gets: the lowest that is free. Pure; the engine keeps one of these for each network in memory
//! and can make it again at any time from its containers' records.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use namespaces::{Failure, Result};

use crate::pool::Pool;

/// The addresses of one network and which of them are in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ipam {
    pool: Pool,
    used: BTreeSet<Ipv4Addr>,
}

impl Ipam {
    /// All addresses of `pool` are free, but the gateway, the subnet's own (its first) and the broadcast address (its last).
    pub fn new(pool: Pool) -> Self {
        let reserved = [pool.gateway, pool.subnet.network(), pool.subnet.broadcast()];
        Self { pool, used: BTreeSet::from(reserved) }
    }

    /// The same, with the addresses that records say are in use.
    pub fn with_used(pool: Pool, used: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        let mut ipam = Self::new(pool);
        ipam.used.extend(used);
        ipam
    }

    /// Takes the lowest free address.
    ///
    /// # Errors
    /// When there is none.
    pub fn claim_next(&mut self) -> Result<Ipv4Addr> {
        let range = self.pool.range.unwrap_or(self.pool.subnet);
        let all = u32::from(range.network())..=u32::from(range.broadcast());
        let free = all.map(Ipv4Addr::from).find(|address| !self.used.contains(address));
        let address = free.ok_or_else(|| {
            Failure::new("find a free address in", "no available IPv4 addresses on this network's address pools")
                .on(range)
                .hint("Remove containers from the network, or make one with a larger --subnet.")
        })?;
        self.used.insert(address);
        Ok(address)
    }

    /// Takes this address, anywhere in the subnet.
    ///
    /// # Errors
    /// When it is outside of the subnet or in use.
    pub fn claim(&mut self, address: Ipv4Addr) -> Result<()> {
        if !self.pool.subnet.contains(&address) {
            let cause = format!("it is not in the network's subnet {}", self.pool.subnet);
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
    pub fn release(&mut self, address: Ipv4Addr) {
        let Pool { subnet, gateway, .. } = self.pool;
        if ![gateway, subnet.network(), subnet.broadcast()].contains(&address) {
            self.used.remove(&address);
        }
    }

    /// Whether nobody has the address.
    pub fn is_free(&self, address: Ipv4Addr) -> bool {
        self.pool.subnet.contains(&address) && !self.used.contains(&address)
    }

    /// The addresses it gives from.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}
