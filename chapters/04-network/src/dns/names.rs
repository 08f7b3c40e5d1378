//! Who is called what, as one container sees it. Pure.
//!
//! A name means the containers that are called so in the first of the asking container's networks where any is: several,
//! when a service has several. `web.back` means those in the network `back`. A link (`--link db:database`) is one more name
//! that only the asking container knows.

use std::net::IpAddr;

use crate::endpoint::Endpoint;

/// The networks of one container, in the order of its endpoints.
#[derive(Debug, Default)]
pub struct Names<'a> {
    /// Id of the container that asks.
    pub asker: &'a str,
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
            let own = members.iter().filter(|member| member.container == self.asker);
            let mut links = own.flat_map(|own| &own.links);
            // What is linked to may be gone, or not there yet: then the link means nobody.
            let meant = links.find(|(alias, _)| alias.eq_ignore_ascii_case(name)).map_or(name, |(_, meant)| meant);
            let called = members.iter().filter(|member| member.names.iter().any(|own| own.eq_ignore_ascii_case(meant)));
            called.flat_map(|member| member.addresses()).map(|net| net.addr()).collect()
        };
        let networks = || self.networks.iter();
        let short = networks().map(|(_, members)| in_network(members, name)).find(|found| !found.is_empty());
        short.or_else(|| {
            // Both may have dots in them.
            let mut dots = name.match_indices('.').filter_map(|(place, _)| name.split_at_checked(place));
            dots.find_map(|(name, network)| {
                let network = network.strip_prefix('.')?;
                let (_, members) = networks().find(|(own, _)| own.eq_ignore_ascii_case(network))?;
                Some(in_network(members, name)).filter(|found| !found.is_empty())
            })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Network, Request, Wish};

    #[test]
    fn dots_belong_to_names_and_a_link_to_who_has_it() {
        let request = Request { name: "br.net".to_owned(), ..Request::default() };
        let network = Network::plan(request, &"ab".repeat(32), "", &[]).unwrap();
        let endpoint = |container: &str, number: u8, name: &str, link: Option<(&str, &str)>| {
            let links = link.into_iter().map(|(alias, name)| (alias.to_owned(), name.to_owned())).collect();
            let wish = Wish { names: vec![name.to_owned()], links, ..Wish::at([172, 18, 0, number]) };
            Endpoint::new(&network, container, wish).unwrap()
        };
        let link = Some(("db", "c1.x"));
        let all =
            [endpoint("1", 2, "c1.x", None), endpoint("2", 3, "c2", link), endpoint("3", 4, "c3", Some(("db", "no")))];
        let numbers = |asker, name: &str| {
            let names = Names { asker, networks: vec![("br.net", all.iter().collect())], forward: true };
            let found = names.addresses(name)?;
            Some(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        let first = Some("172.18.0.2".to_owned());
        assert_eq!(
            (numbers("2", "c1.x"), numbers("2", "C1.x.br.net"), numbers("2", "c1.net")),
            (first.clone(), first.clone(), None)
        );
        assert_eq!((numbers("2", "db"), numbers("2", "DB.br.net")), (first.clone(), first));
        assert_eq!((numbers("1", "db"), numbers("3", "db")), (None, None));
    }
}
