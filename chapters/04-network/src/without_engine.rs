//! What an engine decides from its records, decided without any: the chapter's program has only the kernel to look at.
//!
//! An engine knows which addresses are in use because it gave them out. This program ends with its container and knows
//! nothing of its neighbours, so it takes what no other running program can have: an address made from its process id.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use ipnet::IpNet;
use namespaces::mount::{Attributes, Mount, Source};
use namespaces::{Context as _, Result};
use network::files::{Dns, Hosts, host_resolv_conf, hostname, resolv_conf};
use network::netlink::{self, Socket};
use network::{
    Attachment, Driver as _, Endpoint, Firewall, Network, PoolRequest, PortClaims, PortRequest, Request, Wish,
    choose_subnet,
};

/// Name of the bridge and of the nftables table.
pub(crate) const NAME: &str = "skiff-ch4";

/// Decides what the container gets. No two running programs have the same process id, so it stands for their records.
pub(crate) fn attachment(mode: &str, publish: &[String]) -> Result<(Attachment, PortClaims)> {
    let mut claims = PortClaims::new();
    let pid = std::process::id();
    let id = format!("{pid:08x}").repeat(8);
    let network = network(mode, &id)?;
    let Some(IpNet::V4(subnet)) = network.ipv4.as_ref().map(|pool| pool.subnet) else {
        let attachment = if mode == "host" { Attachment::Host } else { Attachment::None };
        return Ok((attachment, claims));
    };
    let requests: Result<Vec<_>> = publish.iter().map(|text| PortRequest::parse(text)).collect();
    let first = u32::from(subnet.network()) + 2;
    let address = Ipv4Addr::from(first + pid % (u32::from(subnet.broadcast()) - first));
    let everywhere = [Ipv4Addr::UNSPECIFIED.into()];
    let wish = Wish { ports: claims.claim(&id, &requests?.concat(), &everywhere)?, ..Wish::at(address) };
    Ok((Attachment::Endpoints(vec![Endpoint::new(&network, &id, wish)?]), claims))
}

/// The network of the bridge that is there, or of one in a subnet that is free.
fn network(mode: &str, id: &str) -> Result<Network> {
    let mut socket = Socket::route()?;
    let link = netlink::link(&mut socket, NAME)?;
    let addresses = netlink::addresses(&mut socket)?;
    let there = addresses.into_iter().find(|(index, _)| link.as_ref().is_some_and(|link| link.index == *index));
    let free = choose_subnet(&[], &netlink::host_subnets(&mut socket)?);
    let subnet = there.map(|(_, address)| address.trunc()).or(free);
    let ipv4 = PoolRequest { subnet, ..PoolRequest::default() };
    let request = Request { driver: mode.to_owned(), interface: Some(NAME.to_owned()), ipv4, ..Request::default() };
    Network::plan(request, id, "", &[])
}

/// Writes the three files of the container called `name` into `home`, and says where to mount them.
pub(crate) fn files(home: &Path, name: &str, attachment: &Attachment) -> Result<Vec<Mount>> {
    // With the host's network, the host's loopback is the container's, and so are the servers on it.
    let host = matches!(attachment, Attachment::Host);
    let own = attachment.endpoints().iter().map(|endpoint| endpoint.address.addr()).collect();
    let hosts = Hosts { own, hostname: name.to_owned(), ..Hosts::default() };
    let resolv = host_resolv_conf()?;
    let texts = [
        ("hosts", hosts.text()),
        ("resolv.conf", if host { resolv } else { resolv_conf(&resolv, &Dns::default()) }),
        ("hostname", hostname(name)),
    ];
    fs::create_dir_all(home).during("make", home.display())?;
    let write = |(file, text): (&str, String)| {
        let path = home.join(file);
        fs::write(&path, text).during("write", path.display())?;
        let source = Source::Bind { path, recursive: false };
        Ok(Mount { target: Path::new("/etc").join(file), source, attributes: Attributes::default() })
    };
    texts.into_iter().map(write).collect()
}

/// Removes what stays after `run`: the bridge and the rules.
pub(crate) fn clean() -> Result<()> {
    let firewall = Firewall::new(NAME);
    let bridge = network("bridge", "")?.bridge();
    bridge.map_or(Ok(()), |bridge| bridge.remove(&firewall))?;
    firewall.remove()
}
