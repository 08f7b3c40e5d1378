//! The plan of an attachment: everything that will be told to the kernel, before anything is.
//!
//! `network explain` prints it. It reads like the commands that a person would type:
//!
//! ```text
//! on the host:
//!   ip link add veth1f2e3d4c master skiff0 up type veth peer name eth0 address 02:42:ac:11:00:02 netns CONTAINER
//!   ip link set veth1f2e3d4c addrgenmode none
//! in the container's namespace:
//!   ip address add 172.17.0.2/16 broadcast + dev eth0
//!   ip link set lo up
//!   ip link set eth0 up
//!   ip route replace default via 172.17.0.1
//! ```
//!
//! Such a plan needs no kernel to be tested: that a network without icc isolates its ports is a line of a snapshot. That the
//! kernel then does isolate them is what the tests as root are for.

use std::fmt;

use crate::bridge::Bridge;
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
    /// Kernel parameters of the container's namespace: path below `/proc/sys` and value.
    pub parameters: Vec<(String, String)>,
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
        plan.host = endpoints.iter().flat_map(|endpoint| endpoint.wire.driver().attach(endpoint)).collect();
        plan.parameters = endpoints.iter().flat_map(Endpoint::parameters).collect();
        plan.inside = inside(endpoints);
        plan.elements = firewall::of_endpoints(endpoints);
        plan
    }
}

impl Bridge {
    // ANCHOR: host-operations
    /// An endpoint's pair, and what is special about the port of the bridge.
    pub(crate) fn host_operations(&self, endpoint: &Endpoint) -> Vec<Operation> {
        let mut operations = vec![Operation::AddVeth {
            veth: endpoint.veth.clone(),
            bridge: self.interface.clone(),
            interface: endpoint.interface.clone(),
            mac: endpoint.mac,
            mtu: self.mtu,
        }];
        operations.push(Operation::NoLinkLocal { link: endpoint.veth.clone() });
        // A container can meet itself only by a published port. Without icc the bridge keeps its ports apart.
        let (hairpin, isolated) = (!endpoint.ports.is_empty(), !self.icc);
        if hairpin || isolated {
            operations.push(Operation::SetPort { veth: endpoint.veth.clone(), hairpin, isolated });
        }
        operations
    }
    // ANCHOR_END: host-operations
}

impl Endpoint {
    /// IPv6 is off on an interface of a new namespace, unless this one has an address of it. What the user wants comes last.
    pub(crate) fn parameters(&self) -> Vec<(String, String)> {
        let ipv6 = self.address6.iter().chain(&self.link_local).any(|net| net.addr().is_ipv6());
        let on = ipv6.then(|| (format!("net/ipv6/conf/{}/disable_ipv6", self.interface), "0".to_owned()));
        on.into_iter().chain(self.parameters.iter().map(|wanted| wanted.of(&self.interface))).collect()
    }

    /// What is done inside for one endpoint, but for the routes.
    pub(crate) fn inside(&self) -> Vec<Operation> {
        let address = |address| Operation::AddAddress { link: self.interface.clone(), address };
        let up = Operation::SetUp { link: self.interface.clone() };
        self.addresses().chain(self.link_local.iter().copied()).map(address).chain([up]).collect()
    }
}

/// What is done inside. The addresses come first: they name their interface by number, which must be asked for, and all that
/// follows then goes out in one batch with them.
fn inside(endpoints: &[Endpoint]) -> Vec<Operation> {
    // SOLUTION net-inside
    let lo = Operation::SetUp { link: "lo".to_owned() };
    let operations = endpoints.iter().flat_map(Endpoint::inside);
    let (ups, addresses): (Vec<_>, Vec<_>) =
        operations.partition(|operation| matches!(operation, Operation::SetUp { .. }));
    addresses.into_iter().chain([lo]).chain(ups).chain(default_routes(endpoints)).collect()
    // END SOLUTION
}

/// Where everything else is sent, for each family by the first endpoint that has a gateway. Each takes the place of the
/// route that there was.
pub(crate) fn default_routes(endpoints: &[Endpoint]) -> Vec<Operation> {
    let first = [
        endpoints.iter().find_map(|endpoint| endpoint.gateway),
        endpoints.iter().find_map(|endpoint| endpoint.gateway6),
    ];
    first.into_iter().flatten().map(|gateway| Operation::SetDefaultRoute { gateway }).collect()
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
        let element = |element: &Element| format!("nft add element inet {} {element}", self.table);
        let parameter = |(path, value): &(String, String)| format!("sysctl -w {}={value}", path.replace('/', "."));
        let inside = self.parameters.iter().map(parameter).chain(commands(&self.inside)).collect::<Vec<_>>();
        section(f, "on the host", &commands(&self.host))?;
        section(f, "in the container's namespace", &inside)?;
        section(f, "in the firewall", &self.elements.iter().map(element).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use crate::network::{Network, Request};
    use crate::port::PublishedPort;
    use crate::{InterfaceParameter, PoolRequest, Protocol, Wish};

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
        let address6 = network.ipv6.as_ref().map(|pool| pool.subnet.hosts().nth(2).unwrap());
        let wish = Wish { address6, ports: ports.collect(), ..Wish::at([172, 17, 0, 2]) };
        let endpoint = Endpoint::new(&network, &"1f2e3d4c".repeat(8), wish).unwrap();
        Attachment::Endpoints(vec![endpoint]).plan("skiff").to_string()
    }

    #[test]
    fn a_container_on_the_default_bridge() {
        insta::assert_snapshot!(plan(&[("0.0.0.0", 8080, 80), ("127.0.0.1", 8443, 443)], |_| {}), @r#"
        on the host:
          ip link add veth1f2e3d4c master skiff0 up type veth peer name eth0 address 02:42:ac:11:00:02 netns CONTAINER
          ip link set veth1f2e3d4c addrgenmode none
          ip link set veth1f2e3d4c type bridge_slave hairpin on isolated off
        in the container's namespace:
          ip address add 172.17.0.2/16 broadcast + dev eth0
          ip link set lo up
          ip link set eth0 up
          ip route replace default via 172.17.0.1
        in the firewall:
          nft add element inet skiff bridges { "skiff0" }
          nft add element inet skiff subnets { 172.17.0.0/16 }
          nft add element inet skiff masqueraded { 172.17.0.0/16 }
          nft add element inet skiff open { "skiff0" . "skiff0" }
          nft add element inet skiff ports { tcp . 8080 : 172.17.0.2 . 80 }
          nft add element inet skiff address_ports { 127.0.0.1 . tcp . 8443 : 172.17.0.2 . 443 }
        "#);
    }

    #[test]
    fn what_is_special_about_one_interface() {
        let request = Request { interface: Some("skiff0".to_owned()), ..Request::default() };
        let network = Network::plan(request, &"ab".repeat(32), "", &[]).unwrap();
        let endpoint = |interface: &str, address: &str, parameters: &str| {
            let wish = Wish {
                interface: Some(interface.to_owned()),
                link_local: vec![address.parse().unwrap()],
                parameters: InterfaceParameter::parse_list(parameters)?,
                ..Wish::at([172, 17, 0, 2])
            };
            Endpoint::new(&network, &"1f2e3d4c".repeat(8), wish)
        };
        let parameters = "net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.neigh.ifname.ucast_solicit=5";
        let made = endpoint("wan1", "169.254.3.4", parameters).unwrap();
        insta::assert_snapshot!(Attachment::Endpoints(vec![made]).plan("skiff").to_string(), @r#"
        on the host:
          ip link add veth1f2e3d4c master skiff0 up type veth peer name wan1 address 02:42:ac:11:00:02 netns CONTAINER
          ip link set veth1f2e3d4c addrgenmode none
        in the container's namespace:
          sysctl -w net.ipv4.conf.wan1.log_martians=1
          sysctl -w net.ipv6.neigh.wan1.ucast_solicit=5
          ip address add 172.17.0.2/16 broadcast + dev wan1
          ip address add 169.254.3.4/16 broadcast + dev wan1
          ip link set lo up
          ip link set wan1 up
          ip route replace default via 172.17.0.1
        in the firewall:
          nft add element inet skiff bridges { "skiff0" }
          nft add element inet skiff subnets { 172.17.0.0/16 }
          nft add element inet skiff masqueraded { 172.17.0.0/16 }
          nft add element inet skiff open { "skiff0" . "skiff0" }
        "#);
        let refused = [
            endpoint("no/name", "169.254.3.4", ""),
            endpoint("eth0", "10.1.1.1", ""),
            endpoint("eth0", "169.254.3.4", "net.ipv4.conf.eth0.log_martians=1"),
            endpoint("eth0", "169.254.3.4", "net.ipv4.conf.IFNAME...=1"),
            endpoint("eth0", "169.254.3.4", "kernel.conf.IFNAME.shmmax=1"),
        ];
        let said: Vec<_> = refused.into_iter().map(|refused| refused.unwrap_err().to_string()).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        cannot name an interface "no/name": an interface name has 1 to 15 letters, digits, dashes or dots
        cannot use the address 10.1.1.1: invalid link local IP address: 10.1.1.1
        cannot read the interface's kernel parameter net.ipv4.conf.eth0.log_martians=1: it is none of an interface
        cannot read the interface's kernel parameter net.ipv4.conf.IFNAME...=1: it is none of an interface
        cannot read the interface's kernel parameter kernel.conf.IFNAME.shmmax=1: it is none of an interface
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
          ip link set veth1f2e3d4c addrgenmode none
          ip link set veth1f2e3d4c type bridge_slave hairpin on isolated on
        in the container's namespace:
          ip address add 172.17.0.2/16 broadcast + dev eth0
          ip link set lo up
          ip link set eth0 up
        in the firewall:
          nft add element inet skiff bridges { "skiff0" }
          nft add element inet skiff subnets { 172.17.0.0/16 }
          nft add element inet skiff internal { "skiff0" }
        "#);
    }

    #[test]
    fn one_with_both_families() {
        let ports = [("0.0.0.0", 8080, 80), ("::", 8080, 80), ("::1", 8443, 443)];
        insta::assert_snapshot!(plan(&ports, |request| request.ipv6 = Some(PoolRequest::default())), @r#"
        on the host:
          ip link add veth1f2e3d4c master skiff0 up type veth peer name eth0 address 02:42:ac:11:00:02 netns CONTAINER
          ip link set veth1f2e3d4c addrgenmode none
          ip link set veth1f2e3d4c type bridge_slave hairpin on isolated off
        in the container's namespace:
          sysctl -w net.ipv6.conf.eth0.disable_ipv6=0
          ip address add 172.17.0.2/16 broadcast + dev eth0
          ip address add fdab:abab:abab::2/64 nodad dev eth0
          ip link set lo up
          ip link set eth0 up
          ip route replace default via 172.17.0.1
          ip route replace default via fdab:abab:abab::1
        in the firewall:
          nft add element inet skiff bridges { "skiff0" }
          nft add element inet skiff subnets { 172.17.0.0/16 }
          nft add element inet skiff masqueraded { 172.17.0.0/16 }
          nft add element inet skiff subnets6 { fdab:abab:abab::/64 }
          nft add element inet skiff masqueraded6 { fdab:abab:abab::/64 }
          nft add element inet skiff open { "skiff0" . "skiff0" }
          nft add element inet skiff ports { tcp . 8080 : 172.17.0.2 . 80 }
          nft add element inet skiff ports6 { tcp . 8080 : fdab:abab:abab::2 . 80 }
          nft add element inet skiff address_ports6 { ::1 . tcp . 8443 : fdab:abab:abab::2 . 443 }
        "#);
    }

    #[test]
    fn one_on_the_hosts_own_network() {
        let plan = plan(&[], |request| {
            request.driver = "macvlan".to_owned();
            request.ipv4.subnet = "172.17.0.0/24".parse().ok();
            let options = [("parent", "eth7"), ("macvlan_mode", "private")];
            request.options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        });
        insta::assert_snapshot!(plan, @r#"
        on the host:
          ip link add link eth7 name eth0 address 02:42:ac:11:00:02 netns CONTAINER type macvlan mode private
        in the container's namespace:
          ip address add 172.17.0.2/24 broadcast + dev eth0
          ip link set lo up
          ip link set eth0 up
          ip route replace default via 172.17.0.1
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
