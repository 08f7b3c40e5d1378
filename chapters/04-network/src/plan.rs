//! The plan of an attachment: everything that will be told to the kernel, before anything is.
//!
//! `network explain` prints it. It reads like the commands that a person would type:
//!
//! ```text
//! on the host:
//!   ip link add veth1f2e3d4c master skiff0 up type veth peer name eth0 address 02:42:ac:11:00:02 netns CONTAINER
//! in the container's namespace:
//!   ip address add 172.17.0.2/16 broadcast + dev eth0
//!   ip link set lo up
//!   ip link set eth0 up
//!   ip route add default via 172.17.0.1
//! ```
//!
//! Such a plan needs no kernel to be tested: that a network without icc isolates its ports is a line of a snapshot. That the
//! kernel then does isolate them is what the tests as root are for.

use std::fmt;

use crate::endpoint::{Attachment, Endpoint};
use crate::firewall::{self, Element};
use crate::netlink::Operation;

/// What is done to attach a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Name of the engine's nftables table.
    pub table: String,
    /// On the host: the pairs.
    pub host: Vec<Operation>,
    /// Inside the container's namespace, in one batch.
    pub inside: Vec<Operation>,
    /// What the firewall gets to know, last: a port leads to a container only when that can be reached.
    pub elements: Vec<Element>,
}

impl Attachment {
    /// Decides what has to be done. Pure. Empty for `host` and a shared namespace.
    pub fn plan(&self, table: &str) -> Plan {
        let mut plan = Plan { table: table.to_owned(), ..Plan::default() };
        if matches!(self, Self::Host | Self::Join(_)) {
            return plan;
        }
        let endpoints = self.endpoints();
        plan.host = endpoints.iter().flat_map(Endpoint::host_operations).collect();
        plan.inside = inside(endpoints);
        plan.elements = firewall::of_endpoints(endpoints);
        plan
    }
}

impl Endpoint {
    /// Its pair, and what is special about the port of the bridge.
    pub(crate) fn host_operations(&self) -> Vec<Operation> {
        let mut operations = vec![Operation::AddVeth {
            veth: self.veth.clone(),
            bridge: self.bridge.interface.clone(),
            interface: self.interface.clone(),
            mac: self.mac,
            mtu: self.bridge.mtu,
        }];
        // A container can meet itself only by a published port. Without icc the bridge keeps its ports apart.
        let (hairpin, isolated) = (!self.ports.is_empty(), !self.bridge.icc);
        if hairpin || isolated {
            operations.push(Operation::SetPort { veth: self.veth.clone(), hairpin, isolated });
        }
        operations
    }
}

/// What is done inside. The addresses come first: they name their interface by number, which must be asked for, and all that
/// follows then goes out in one batch with them.
fn inside(endpoints: &[Endpoint]) -> Vec<Operation> {
    // SOLUTION net-inside
    let address =
        |endpoint: &Endpoint| Operation::AddAddress { link: endpoint.interface.clone(), address: endpoint.address };
    let up = |link: &str| Operation::SetUp { link: link.to_owned() };
    let gateway = endpoints.iter().find_map(|endpoint| endpoint.gateway);
    let addresses = endpoints.iter().map(address);
    let ups = endpoints.iter().map(|endpoint| up(&endpoint.interface));
    let route = gateway.map(|gateway| Operation::AddDefaultRoute { gateway });
    addresses.chain([up("lo")]).chain(ups).chain(route).collect()
    // END SOLUTION
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = |f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]| {
            if !lines.is_empty() {
                writeln!(f, "{title}:")?;
            }
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
        };
        let commands = |operations: &[Operation]| operations.iter().map(Operation::to_string).collect::<Vec<_>>();
        let element = |element: &Element| format!("nft add element ip {} {element}", self.table);
        section(f, "on the host", &commands(&self.host))?;
        section(f, "in the container's namespace", &commands(&self.inside))?;
        section(f, "in the firewall", &self.elements.iter().map(element).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use crate::network::{Network, Request};
    use crate::port::PublishedPort;
    use crate::{Protocol, Wish};

    use super::*;

    fn plan(ports: &[(&str, u16, u16)], change: impl FnOnce(&mut Request)) -> String {
        let mut request = Request { interface: Some("skiff0".to_owned()), ..Request::default() };
        change(&mut request);
        let network = Network::plan(request, &"ab".repeat(32), "", &[]).unwrap();
        let ports = ports.iter().map(|(ip, host_port, container_port)| PublishedPort {
            host_ip: ip.parse().unwrap(),
            host_port: *host_port,
            container_port: *container_port,
            protocol: Protocol::Tcp,
        });
        let wish = Wish { address: [172, 17, 0, 2].into(), mac: None, ports: ports.collect(), index: 0 };
        let endpoint = Endpoint::new(&network, &"1f2e3d4c".repeat(8), wish).unwrap();
        Attachment::Endpoints(vec![endpoint]).plan("skiff").to_string()
    }

    #[test]
    fn a_container_on_the_default_bridge() {
        insta::assert_snapshot!(plan(&[("0.0.0.0", 8080, 80), ("127.0.0.1", 8443, 443)], |_| {}), @r#"
        on the host:
          ip link add veth1f2e3d4c master skiff0 up type veth peer name eth0 address 02:42:ac:11:00:02 netns CONTAINER
          ip link set veth1f2e3d4c type bridge_slave hairpin on isolated off
        in the container's namespace:
          ip address add 172.17.0.2/16 broadcast + dev eth0
          ip link set lo up
          ip link set eth0 up
          ip route add default via 172.17.0.1
        in the firewall:
          nft add element ip skiff bridges { "skiff0" }
          nft add element ip skiff subnets { 172.17.0.0/16 }
          nft add element ip skiff masqueraded { 172.17.0.0/16 }
          nft add element ip skiff open { "skiff0" . "skiff0" }
          nft add element ip skiff ports { tcp . 8080 : 172.17.0.2 . 80 }
          nft add element ip skiff address_ports { 127.0.0.1 . tcp . 8443 : 172.17.0.2 . 443 }
        "#);
    }

    #[test]
    fn one_in_an_internal_network_without_icc() {
        let plan = plan(&[("0.0.0.0", 8080, 80)], |request| {
            request.internal = true;
            request.options.insert("com.docker.network.driver.mtu".to_owned(), "1400".to_owned());
            request.options.insert("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned());
        });
        insta::assert_snapshot!(plan, @r#"
        on the host:
          ip link add veth1f2e3d4c master skiff0 mtu 1400 up type veth peer name eth0 address 02:42:ac:11:00:02 mtu 1400 netns CONTAINER
          ip link set veth1f2e3d4c type bridge_slave hairpin on isolated on
        in the container's namespace:
          ip address add 172.17.0.2/16 broadcast + dev eth0
          ip link set lo up
          ip link set eth0 up
        in the firewall:
          nft add element ip skiff bridges { "skiff0" }
          nft add element ip skiff subnets { 172.17.0.0/16 }
          nft add element ip skiff internal { "skiff0" }
        "#);
    }

    #[test]
    fn one_without_a_network() {
        insta::assert_snapshot!(Attachment::None.plan("skiff").to_string(), @r"
        in the container's namespace:
          ip link set lo up
        ");
        assert_eq!(Attachment::Host.plan("skiff").to_string(), "");
    }
}
