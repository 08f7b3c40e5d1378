//! The bridge of a network: made, put right, removed.
//!
//! A bridge is a switch in the kernel. It learns which hardware address is behind which port, and passes frames on by that.
//! It is also an interface of the host: with an address on it, the host itself is plugged into the switch, and what the
//! containers send to that address to be passed on, the host routes like any router.
//!
//! With IPv6 the bridge has a second address, from a subnet of its own. Two things that IPv6 would do by itself are not wanted
//! here: that machines tell each other the way (router advertisements; behind our bridge nobody is to tell the host anything),
//! and that every interface gets an address from nobody (link-local; a network without IPv6 has none of that, or its
//! containers would have a second way to each other that no rule knows).
//!
//! The bridge is made when its network gets its first container, and put right whenever it is not as its record says.

use std::net::IpAddr;

use ipnet::IpNet;
use namespaces::{Failure, Result};
use serde::{Deserialize, Serialize};

use crate::driver::Driver;
use crate::endpoint::{Endpoint, mac_of};
use crate::firewall::{Element, Firewall, docker, of_bridge};
use crate::netlink::{self, Link, Operation, Socket};
use crate::parameter;

/// What must be known of a network to make its bridge and its rules, or to put them right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// The bridge interface on the host.
    pub interface: String,
    /// Its address, which is the containers' gateway, with the subnet's prefix: `172.17.0.1/16`.
    pub address: IpNet,
    /// The same with IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address6: Option<IpNet>,
    /// See [`Network::mtu`](crate::Network::mtu).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// See [`Network::internal`](crate::Network::internal).
    pub internal: bool,
    /// See [`Network::icc`](crate::Network::icc).
    pub icc: bool,
    /// See [`Network::masquerade`](crate::Network::masquerade).
    pub masquerade: bool,
}

/// What is there now under a bridge's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The interface.
    pub link: Link,
    /// Its addresses.
    pub addresses: Vec<IpNet>,
}

impl Bridge {
    /// Its addresses, of one family or of both.
    pub fn addresses(&self) -> impl Iterator<Item = IpNet> {
        [Some(self.address), self.address6].into_iter().flatten()
    }

    /// Decides what has to be done so that this bridge is there and is as it should be. Nothing, when it is. Pure.
    ///
    /// # Errors
    /// When another kind of interface has its name.
    pub fn plan(&self, found: Option<&Found>) -> Result<Vec<Operation>> {
        let bridge = self.interface.clone();
        let mut operations = Vec::new();
        let (mtu, up, addresses) = match found {
            Some(Found { link, .. }) if link.kind != "bridge" => {
                return Err(Failure::new("make the bridge", "another interface has this name")
                    .on(bridge)
                    .hint("Choose another name for the network's bridge, or remove that interface."));
            }
            Some(Found { link, addresses }) => (Some(link.mtu), link.up, addresses.as_slice()),
            None => {
                let mac = mac_of(self.address.addr());
                operations.push(Operation::AddBridge { bridge: bridge.clone(), mac, mtu: self.mtu });
                (self.mtu, false, [].as_slice())
            }
        };
        if let Some(wanted) = self.mtu.filter(|wanted| mtu.is_some_and(|mtu| mtu != *wanted)) {
            operations.push(Operation::SetMtu { link: bridge.clone(), mtu: wanted });
        }
        let wanted: Vec<IpNet> = self.addresses().collect();
        let wrong = addresses.iter().filter(|address| !wanted.contains(address) && !is_link_local(**address));
        operations.extend(wrong.map(|address| Operation::RemoveAddress { link: bridge.clone(), address: *address }));
        let missing = wanted.into_iter().filter(|address| !addresses.contains(address));
        operations.extend(missing.map(|address| Operation::AddAddress { link: bridge.clone(), address }));
        if !up {
            operations.push(Operation::SetUp { link: bridge });
        }
        Ok(operations)
    }

    /// Makes the bridge or puts right what differs, and lets the firewall know it. Doing it again changes nothing.
    ///
    /// The first bridge turns the host into a router between its interfaces (`ip_forward`), without which no container would
    /// reach further than its bridge.
    ///
    /// The rules come first: at no moment is there a bridge without them. And the bridge is told what it is to think of IPv6
    /// before it gets addresses and is up.
    pub fn ensure(&self, firewall: &Firewall) -> Result<()> {
        firewall.add_bridge(self)?;
        docker::let_pass(&self.interface)?;
        let mut socket = Socket::route()?;
        let found = self.find(&mut socket)?;
        let operations = self.plan(found.as_ref())?;
        let (make, rest) = operations.split_at(usize::from(found.is_none()));
        netlink::apply(&mut socket, make, None)?;
        self.set_parameters()?;
        netlink::apply(&mut socket, rest, None)
    }

    fn set_parameters(&self) -> Result<()> {
        let of_bridge = |family: &str, name: &str| format!("/proc/sys/net/{family}/conf/{}/{name}", self.interface);
        // Nobody behind the bridge may tell the host its way (CVE-2020-13401).
        parameter::set_if_present(&of_bridge("ipv6", "accept_ra"), "0")?;
        parameter::set_if_present(&of_bridge("ipv6", "disable_ipv6"), if self.address6.is_some() { "0" } else { "1" })?;
        parameter::set("/proc/sys/net/ipv4/ip_forward", "1")?;
        if self.address6.is_some() {
            parameter::forward_ipv6()?;
        }
        // Lets a packet from 127.0.0.1 leave by this bridge: that is how 127.0.0.1:8080 reaches a container. What comes in
        // by the bridge and claims to be for 127.0.0.1 is dropped by the firewall before anything else (CVE-2020-8558).
        parameter::set(&of_bridge("ipv4", "route_localnet"), "1")
    }

    /// What is there now under this bridge's name.
    pub fn find(&self, socket: &mut Socket) -> Result<Option<Found>> {
        let Some(link) = netlink::link(socket, &self.interface)? else { return Ok(None) };
        let all = netlink::addresses(socket)?;
        let own = all.into_iter().filter(|(index, _)| *index == link.index);
        Ok(Some(Found { addresses: own.map(|(_, address)| address).collect(), link }))
    }
}

impl Driver for Bridge {
    fn create(&self, firewall: &Firewall) -> Result<()> {
        self.ensure(firewall)
    }

    fn remove(&self, firewall: &Firewall) -> Result<()> {
        let mut socket = Socket::route()?;
        if netlink::link(&mut socket, &self.interface)?.is_some_and(|link| link.kind == "bridge") {
            let remove = Operation::RemoveLink { link: self.interface.clone() };
            netlink::apply(&mut socket, &[remove], None)?;
        }
        docker::forget(&self.interface)?;
        firewall.remove_bridge(self)
    }

    fn attach(&self, endpoint: &Endpoint) -> Vec<Operation> {
        self.host_operations(endpoint)
    }

    fn detach(&self, endpoint: &Endpoint) -> Vec<Operation> {
        vec![Operation::ClosePort { veth: endpoint.veth.clone() }]
    }

    fn describe(&self) -> Vec<Element> {
        of_bridge(self)
    }
}

/// `fe80::/10`: the kernel gives one to every interface by itself.
fn is_link_local(address: IpNet) -> bool {
    matches!(address.addr(), IpAddr::V6(address) if address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bridge() -> Bridge {
        Bridge {
            interface: "skiff0".to_owned(),
            address: "172.17.0.1/16".parse().unwrap(),
            address6: None,
            mtu: Some(1400),
            internal: false,
            icc: true,
            masquerade: true,
        }
    }

    fn commands(found: Option<&Found>) -> String {
        let operations = bridge().plan(found).unwrap();
        operations.iter().map(Operation::to_string).collect::<Vec<_>>().join("\n")
    }

    fn found(kind: &str) -> Found {
        let link = Link {
            index: 7,
            name: "skiff0".to_owned(),
            kind: kind.to_owned(),
            up: false,
            mtu: 1500,
            mac: Vec::new(),
            master: 0,
            hairpin: false,
        };
        Found { link, addresses: vec!["10.0.0.1/8".parse().unwrap(), "fe80::1/64".parse().unwrap()] }
    }

    #[test]
    fn a_missing_bridge_is_made() {
        insta::assert_snapshot!(commands(None), @r"
        ip link add skiff0 address 02:42:ac:11:00:01 mtu 1400 type bridge
        ip address add 172.17.0.1/16 broadcast + dev skiff0
        ip link set skiff0 up
        ");
    }

    #[test]
    fn one_with_both_families() {
        let bridge = Bridge { address6: Some("fd00::1/64".parse().unwrap()), ..bridge() };
        let operations = bridge.plan(None).unwrap();
        insta::assert_snapshot!(operations.iter().map(Operation::to_string).collect::<Vec<_>>().join("\n"), @r#"
        ip link add skiff0 address 02:42:ac:11:00:01 mtu 1400 type bridge
        ip address add 172.17.0.1/16 broadcast + dev skiff0
        ip address add fd00::1/64 nodad dev skiff0
        ip link set skiff0 up
        "#);
    }

    #[test]
    fn one_that_differs_is_put_right() {
        insta::assert_snapshot!(commands(Some(&found("bridge"))), @r"
        ip link set skiff0 mtu 1400
        ip address del 10.0.0.1/8 dev skiff0
        ip address add 172.17.0.1/16 broadcast + dev skiff0
        ip link set skiff0 up
        ");
    }

    #[test]
    fn one_that_is_right_is_left_alone() {
        let link = Link { up: true, mtu: 1400, ..found("bridge").link };
        assert_eq!(commands(Some(&Found { link, addresses: vec![bridge().address] })), "");
    }

    #[test]
    fn another_interface_is_not_taken_over() {
        let failure = bridge().plan(Some(&found("vxlan"))).unwrap_err();
        assert_eq!(failure.to_string(), "cannot make the bridge skiff0: another interface has this name");
    }
}
