//! The bridge of a network, made when its first container comes, and gone when an engine with no container ends.
//!
//! Deciding on a subnet and having a bridge on it are two moments, and another engine (or a VPN) may take the subnet in
//! between. So the choice is looked at again right before the bridge is made, by one engine of the machine at a time. The
//! default network then moves on to another subnet; one that was asked for stays as it was asked for, and its bridge fails.

use std::fs::File;

use ::network::{Kind, Network, Request, netlink, overlaps};
use rustix::fs::FlockOperation;

use super::{Held, Networks, State, is_default, taken};
use crate::error::Result;

/// Taken while a subnet is chosen and its bridge is made. Machine-wide: every engine of the machine has the same routes.
const LOCK: &str = "/run/lock/skiff-networks";

impl Networks {
    /// Sees to it that the network's bridge and rules are there. After the first time this is a look at a flag; what somebody
    /// else takes away later is mended by the chapter when a container is attached.
    pub(super) fn settle(&self, state: &mut State, id: &str) -> Result<()> {
        let held = state.held(id)?;
        let (Some(interface), false) = (held.network.interface.clone(), held.ready) else { return Ok(()) };
        let lock = File::create(LOCK).ok();
        let _turn = lock.as_ref().map(|lock| rustix::fs::flock(lock, FlockOperation::LockExclusive));
        if held.network.driver == Kind::Bridge && netlink::link(&mut netlink::Socket::route()?, &interface)?.is_none() {
            self.move_on(state, id)?;
        }
        let held = state.held(id)?;
        if let Some(wire) = held.network.wire() {
            wire.driver().create(&self.firewall)?;
        }
        held.ready = true;
        Ok(())
    }

    /// Gives the default network another subnet when its own has been taken meanwhile.
    fn move_on(&self, state: &mut State, id: &str) -> Result<()> {
        let taken = taken(state, Some(id))?;
        let held = state.held(id)?;
        let Some(subnet) = held.network.ipv4.as_ref().map(|pool| pool.subnet) else { return Ok(()) };
        if !overlaps(subnet, &taken) || !is_default(&held.network) || !held.endpoints.is_empty() {
            return Ok(());
        }
        let old = &held.network;
        let request = Request {
            name: old.name.clone(),
            interface: old.interface.clone(),
            options: old.options.clone(),
            pools: self.pools.clone(),
            ..Request::default()
        };
        let network = Network::plan(request, id, &old.created, &taken)?;
        tracing::warn!("the subnet {subnet} is in use by others now");
        self.keep(state, network)
    }

    /// Takes down the bridges and the rules when no container holds anything of them: an engine that ends leaves nothing
    /// behind. What containers that run on need stays.
    pub fn close(&self) -> Result<()> {
        let state = self.lock();
        if state.networks.values().any(|held| !held.endpoints.is_empty()) {
            return Ok(());
        }
        for wire in state.networks.values().filter(|held| held.ready).filter_map(|held| held.network.wire()) {
            wire.driver().remove(&self.firewall)?;
        }
        let used = |held: &Held| held.ready;
        if state.networks.values().any(used) {
            self.firewall.remove()?;
        }
        Ok(())
    }
}
