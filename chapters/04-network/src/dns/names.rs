//! Who is called what, as one container sees it. Pure.
//!
//! A name means the containers that are called so in the first of the asking container's networks where any is: several,
//! when a service has several. `web.back` means those in the network `back`.

use std::net::IpAddr;

use crate::endpoint::Endpoint;

/// The networks of one container, in the order of its endpoints.
#[derive(Debug, Default)]
pub struct Names<'a> {
    /// Name of the network, and its members.
    pub networks: Vec<(&'a str, Vec<Member<'a>>)>,
    /// Whether other names may be asked for elsewhere: some network of the container is not internal.
    pub forward: bool,
}

/// A container in a network: what it is called, and where it is.
pub type Member<'a> = &'a Endpoint;

impl Names<'_> {
    /// The addresses of this name (without a closing dot, capitals like small letters). `None` when nobody is called so.
    pub fn addresses(&self, name: &str) -> Option<Vec<IpAddr>> {
        let in_network = |members: &[Member<'_>], name: &str| -> Vec<IpAddr> {
            let called = members.iter().filter(|member| member.names.iter().any(|own| own.eq_ignore_ascii_case(name)));
            called.flat_map(|member| member.addresses()).map(|net| net.addr()).collect()
        };
        let networks = || self.networks.iter();
        let short = networks().map(|(_, members)| in_network(members, name)).find(|found| !found.is_empty());
        short.or_else(|| {
            let (name, network) = name.rsplit_once('.')?;
            let (_, members) = networks().find(|(own, _)| own.eq_ignore_ascii_case(network))?;
            Some(in_network(members, name)).filter(|found| !found.is_empty())
        })
    }

    /// The best name of the container that has this address: `web.back`.
    pub fn name_of(&self, address: IpAddr) -> Option<String> {
        self.networks.iter().find_map(|(network, members)| {
            let member = members.iter().find(|member| member.addresses().any(|net| net.addr() == address))?;
            Some(format!("{}.{network}", member.names.first()?))
        })
    }

    /// Whether the address is in a subnet of these networks: then nobody else knows a name for it.
    pub fn covers(&self, address: IpAddr) -> bool {
        let mut members = self.networks.iter().flat_map(|(_, members)| members);
        members.any(|member| member.addresses().any(|net| net.contains(&address)))
    }
}
