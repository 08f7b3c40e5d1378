//! The plan of an attachment: everything that will be told to the kernel, before anything is.
//!
//! `network explain` prints it. It reads like the commands that a person would type.

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
    let address =
        |endpoint: &Endpoint| Operation::AddAddress { link: endpoint.interface.clone(), address: endpoint.address };
    let up = |link: &str| Operation::SetUp { link: link.to_owned() };
    let gateway = endpoints.iter().find_map(|endpoint| endpoint.gateway);
    let addresses = endpoints.iter().map(address);
    let ups = endpoints.iter().map(|endpoint| up(&endpoint.interface));
    let route = gateway.map(|gateway| Operation::AddDefaultRoute { gateway });
    addresses.chain([up("lo")]).chain(ups).chain(route).collect()
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
