//! Macvlan: a network interface of the host with more than one hardware address (ip-link(8), `type macvlan`).
//!
//! Each container has an address of its own in the network that the host is in, as if it were another machine on the same
//! wire. There is no bridge, no rule and no published port: the container *is* outside.
//!
//! | mode | what containers on one parent reach of each other |
//! |---|---|
//! | `bridge` | everything, directly |
//! | `vepa` | what the switch at the other end of the wire sends back |
//! | `private` | nothing |
//! | `passthru` | there is only one container, and it has the parent's own hardware address |
//!
//! ```text
//!   outside ──── switch ──── eth0 (parent, the host's own address)
//!                              ├── eth0 of container a, 02:42:c0:a8:01:0a
//!                              └── eth0 of container b, 02:42:c0:a8:01:0b
//! ```
//!
//! In every mode the kernel keeps the host itself and the containers apart: that is a property of macvlan, not of ours.

use std::fmt;

use namespaces::{Failure, Result};
use serde::{Deserialize, Serialize};

use crate::driver::Driver;
use crate::endpoint::Endpoint;
use crate::firewall::{Element, Firewall};
use crate::netlink::{self, Operation, Socket};

/// Who of those on one parent reaches whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everybody everybody.
    #[default]
    Bridge,
    /// By way of the switch outside.
    Vepa,
    /// Nobody anybody.
    Private,
    /// There is but one.
    Passthru,
}

impl Mode {
    /// Docker's and ip(8)'s names; empty is `bridge`.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "" | "bridge" => Ok(Self::Bridge),
            "vepa" => Ok(Self::Vepa),
            "private" => Ok(Self::Private),
            "passthru" => Ok(Self::Passthru),
            other => Err(Failure::new("read the network option", "there is no such mode")
                .on(format_args!("macvlan_mode={other}"))
                .hint("The modes are bridge, vepa, private and passthru.")),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bridge => "bridge",
            Self::Vepa => "vepa",
            Self::Private => "private",
            Self::Passthru => "passthru",
        })
    }
}

/// What must be known of a macvlan network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Macvlan {
    /// The interface of the host.
    pub parent: String,
    /// Who reaches whom.
    pub mode: Mode,
    /// Largest packet in bytes; `None` is the parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// Whether its containers get no way out of the subnet.
    #[serde(default)]
    pub internal: bool,
}

impl Driver for Macvlan {
    /// Nothing is made. The parent must be there: an 802.1q sub-interface (`eth0.50`) is made by whoever set up the host.
    fn create(&self, _firewall: &Firewall) -> Result<()> {
        if netlink::index(&mut Socket::route()?, &self.parent)?.is_some() {
            return Ok(());
        }
        let failure = Failure::new("find the parent of the macvlan network", "there is no such interface on the host");
        let hint = match self.parent.split_once('.') {
            Some((link, id)) => {
                format!("Make it with: ip link add link {link} name {} type vlan id {id} (needs 8021q)", self.parent)
            }
            None => "ip -br link lists those that there are.".to_owned(),
        };
        Err(failure.on(&self.parent).hint(hint))
    }

    fn remove(&self, _firewall: &Firewall) -> Result<()> {
        Ok(())
    }

    fn attach(&self, endpoint: &Endpoint) -> Vec<Operation> {
        vec![Operation::AddMacvlan {
            parent: self.parent.clone(),
            mode: self.mode,
            interface: endpoint.interface.clone(),
            // In passthru mode the address is the parent's.
            mac: (self.mode != Mode::Passthru).then_some(endpoint.mac),
            mtu: self.mtu,
        }]
    }

    /// The interface is nowhere but in the container's namespace, and ends with it.
    fn detach(&self, _endpoint: &Endpoint) -> Vec<Operation> {
        Vec::new()
    }

    /// Its packets pass none of the host's rules.
    fn describe(&self) -> Vec<Element> {
        Vec::new()
    }
}
