//! What a network driver is: five small functions, of which three only decide.
//!
//! | function | when | what |
//! |---|---|---|
//! | [`create`](Driver::create) | the network gets its first container | what it needs on the host: a bridge, rules |
//! | [`remove`](Driver::remove) | the network is removed | takes that away |
//! | [`attach`](Driver::attach) | a container comes | the messages that make its interface, born in its namespace |
//! | [`detach`](Driver::detach) | a container ends | the message after which nobody hears it any more |
//! | [`describe`](Driver::describe) | whenever rules are made | what the firewall must know of the network |
//!
//! Addresses, routes, published ports and names are the same for all drivers and not their business. A driver for networks
//! that span hosts (overlay) would be a third: `create` makes its bridge and a vxlan interface as one more port of it, and
//! `attach` is that of the bridge. `host` and `none` are no drivers, since there is nothing to do.

use namespaces::Result;
use serde::{Deserialize, Serialize};

use crate::bridge::Bridge;
use crate::endpoint::Endpoint;
use crate::firewall::{Element, Firewall};
use crate::macvlan::Macvlan;
use crate::netlink::Operation;

/// How one kind of network connects containers.
pub trait Driver {
    /// Makes what the network needs on the host, or puts right what differs. Doing it again changes nothing.
    fn create(&self, firewall: &Firewall) -> Result<()>;

    /// Takes away what `create` made. Doing it again does nothing.
    fn remove(&self, firewall: &Firewall) -> Result<()>;

    /// What makes the endpoint's interface, told to the host's namespace. The interface is born in the container's.
    fn attach(&self, endpoint: &Endpoint) -> Vec<Operation>;

    /// What silences the endpoint at once, though its namespace may live on for some milliseconds.
    fn detach(&self, endpoint: &Endpoint) -> Vec<Operation>;

    /// The elements of the firewall's sets by which the rules know the network.
    fn describe(&self) -> Vec<Element>;
}

/// What a network is on the host. Part of every endpoint's record, so that a container can be attached or released without
/// the network's own record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// A switch.
    Bridge(Bridge),
    /// More hardware addresses on an interface of the host.
    Macvlan(Macvlan),
}

impl Wire {
    /// The driver.
    pub fn driver(&self) -> &dyn Driver {
        match self {
            Self::Bridge(bridge) => bridge,
            Self::Macvlan(macvlan) => macvlan,
        }
    }

    /// Whether its containers reach each other only.
    pub fn is_internal(&self) -> bool {
        match self {
            Self::Bridge(bridge) => bridge.internal,
            Self::Macvlan(macvlan) => macvlan.internal,
        }
    }

    /// The bridge, when it is one.
    pub fn bridge(&self) -> Option<&Bridge> {
        match self {
            Self::Bridge(bridge) => Some(bridge),
            Self::Macvlan(_) => None,
        }
    }
}
