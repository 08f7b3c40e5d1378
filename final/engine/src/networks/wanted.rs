//! What a container asks of the networks, read from its record: which, which address in each, which ports of the host.

use std::cmp::Reverse;
use std::net::IpAddr;

use ::network::{Endpoint, InterfaceParameter, Ipam, Pool, PortRequest, Wish};
use bollard_stubs::models::{EndpointIpamConfig, EndpointSettings, HostConfig};

use super::{Held, State, Wishes, has_names, is_default};
use crate::error::{Error, Result};

/// What a container asks of the networks: parts of its record.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The container's id.
    pub container: &'a str,
    /// What it is called.
    pub name: &'a str,
    /// `NetworkMode`, `PortBindings`, `PublishAllPorts`, `Dns`.
    pub host: &'a HostConfig,
    /// `NetworkingConfig.EndpointsConfig`: wishes by the network's name.
    pub endpoints: &'a Wishes,
    /// Ports that the image or the request exposes, `80/tcp`: what `PublishAllPorts` publishes.
    pub exposed: &'a [String],
}

/// The networks that are asked for, by id, the one of `NetworkMode` first, and the wishes for each.
pub(super) fn wanted(state: &State, asked: Asked<'_>) -> Result<Vec<(String, EndpointSettings)>> {
    let mode = given(asked.host.network_mode.as_deref()).unwrap_or("bridge");
    let mut wanted = vec![(state.find(mode)?, EndpointSettings::default())];
    let mut names: Vec<_> = asked.endpoints.iter().collect();
    names.sort_by_key(|(name, _)| name.as_str());
    for (name, wish) in names {
        let id = state.find(name)?;
        match wanted.iter_mut().find(|(known, _)| *known == id) {
            Some((_, known)) => known.clone_from(wish),
            None => wanted.push((id, wish.clone())),
        }
    }
    Ok(wanted)
}

/// Takes an address of each family, the one that is asked for or the lowest, and decides the endpoint. `others` are those
/// that the container has already.
pub(super) fn endpoint(
    held: &mut Held,
    asked: Asked<'_>,
    wish: &EndpointSettings,
    others: &[Endpoint],
) -> Result<Endpoint> {
    let name = &held.network.name;
    if held.ipams.is_empty() {
        return Err(Error::invalid(format!("the network {name} cannot be combined with other networks")));
    }
    let mac = given(wish.mac_address.as_deref()).map(mac).transpose()?;
    let servers = servers(asked.host)?;
    let (names, links) =
        if has_names(&held.network) { (names(asked, wish), links(asked, wish, name)) } else { Default::default() };
    let config = wish.ipam_config.clone().unwrap_or_default();
    let interface = option(wish, "ifname");
    let index = index(held, others);
    refuse_name(interface, others)?;
    refuse_addresses(held, &config)?;
    let link_local = link_local(&config)?;
    let parameters = InterfaceParameter::parse_list(option(wish, "sysctls").unwrap_or_default());
    let parameters = parameters.map_err(|failure| Error::invalid(failure.to_string()))?;
    let addresses = claim_addresses(&mut held.ipams, &config)?;
    let (address, address6) = match *addresses.as_slice() {
        [address] => (address, None),
        [address, address6, ..] => (address, Some(address6)),
        [] => return Err(Error::internal(format!("the network {name} has no addresses"))),
    };
    let interface = interface.map(str::to_owned);
    let ports = Vec::new();
    let wish = Wish { address, address6, mac, ports, index, names, links, servers, interface, link_local, parameters };
    let endpoint = Endpoint::new(&held.network, asked.container, wish).map_err(|failure| {
        held.ipams.iter_mut().zip(&addresses).for_each(|(ipam, address)| ipam.release(*address));
        Error::invalid(failure.to_string())
    })?;
    held.endpoints.insert(asked.container.to_owned(), endpoint.clone());
    Ok(endpoint)
}

/// A driver's option of an endpoint, `com.docker.network.endpoint.KEY`.
fn option<'a>(wish: &'a EndpointSettings, key: &str) -> Option<&'a str> {
    let options = wish.driver_opts.as_ref()?;
    given(options.get(&format!("com.docker.network.endpoint.{key}")).map(String::as_str))
}

/// The lowest number that no other endpoint has, nor its interface in its name.
fn index(held: &Held, others: &[Endpoint]) -> usize {
    let is_free = |index: &usize| {
        let name = held.network.interface_of(*index);
        others.iter().all(|other| other.index != *index && other.interface != name)
    };
    // Each other one stands in the way of two at most.
    (0..=2 * others.len()).find(is_free).unwrap_or_default()
}

/// Refuses the name of an interface that the container has.
fn refuse_name(wanted: Option<&str>, others: &[Endpoint]) -> Result<()> {
    match wanted.filter(|name| *name == "lo" || others.iter().any(|other| other.interface == *name)) {
        Some(name) => Err(Error::conflict(format!("the container has an interface {name} already"))
            .hint("Choose another com.docker.network.endpoint.ifname.")),
        None => Ok(()),
    }
}

/// Refuses addresses where docker has no say in them: in the default network, and where nobody chose the subnet, since it may
/// be another one when the network is made again.
pub(super) fn refuse_addresses(held: &Held, config: &EndpointIpamConfig) -> Result<()> {
    let network = &held.network;
    let chosen = |pool: &Option<Pool>| pool.as_ref().is_none_or(|pool| pool.chosen);
    let wanted = [(&config.ipv4_address, &network.ipv4), (&config.ipv6_address, &network.ipv6)];
    let wanted = || wanted.iter().filter(|(address, _)| given(address.as_deref()).is_some());
    if is_default(network) && wanted().next().is_some() {
        return Err(Error::invalid("user specified IP address is supported on user defined networks only"));
    }
    if wanted().any(|(_, pool)| chosen(pool)) {
        return Err(Error::invalid(
            "user specified IP address is supported only when connecting to networks with user configured subnets",
        )
        .hint("Make the network with --subnet."));
    }
    Ok(())
}

fn link_local(config: &EndpointIpamConfig) -> Result<Vec<IpAddr>> {
    let invalid = |text: &String| Error::invalid(format!("invalid link-local IP address: {text}"));
    config.link_local_ips.iter().flatten().map(|text| text.parse().map_err(|_| invalid(text))).collect()
}

/// The links of the container in the network `network`: those that are asked for with it, and in its first network `--link`.
fn links(asked: Asked<'_>, wish: &EndpointSettings, network: &str) -> Vec<(String, String)> {
    let first = asked.host.network_mode.as_deref() == Some(network);
    let of_host = asked.host.links.iter().flatten().filter(|_| first);
    let pair = |link: &String| {
        let (name, alias) = link.split_once(':').unwrap_or((link, link));
        (alias.to_owned(), name.trim_start_matches('/').to_owned())
    };
    of_host.chain(wish.links.iter().flatten()).map(pair).collect()
}

/// One of each, or none.
fn claim_addresses(ipams: &mut [Ipam], config: &EndpointIpamConfig) -> Result<Vec<IpAddr>> {
    let mut claimed = Vec::new();
    for (number, wanted) in [&config.ipv4_address, &config.ipv6_address].into_iter().enumerate().take(ipams.len()) {
        let Some(ipam) = ipams.get_mut(number) else { break };
        let address = match given(wanted.as_deref()) {
            None => ipam.claim_next().map_err(Error::from),
            Some(text) => {
                let family = if number == 0 { "IPv4" } else { "IPv6" };
                let fits = |address: &IpAddr| match address {
                    IpAddr::V4(_) => number == 0,
                    IpAddr::V6(address) => number == 1 && address.to_ipv4_mapped().is_none(),
                };
                let address = text.parse::<IpAddr>().ok().filter(fits);
                let address = address.ok_or_else(|| Error::invalid(format!("invalid {family} address: {text}")));
                address.and_then(|address| Ok(ipam.claim(address).map(|()| address)?))
            }
        };
        match address {
            Ok(address) => claimed.push(address),
            Err(error) => {
                ipams.iter_mut().zip(claimed).for_each(|(ipam, address)| ipam.release(address));
                return Err(error);
            }
        }
    }
    Ok(claimed)
}

/// What the others in the network call the container: its name, what it asks to be called there, the beginning of its id.
pub(super) fn names(asked: Asked<'_>, wish: &EndpointSettings) -> Vec<String> {
    let mut names = vec![asked.name.to_owned()];
    names.extend(wish.aliases.iter().flatten().cloned());
    names.push(asked.container.get(..12).unwrap_or(asked.container).to_owned());
    let mut known = Vec::new();
    for name in names {
        if !name.is_empty() && !known.contains(&name) {
            known.push(name);
        }
    }
    known
}

/// The servers of `--dns`.
pub(super) fn servers(host: &HostConfig) -> Result<Vec<IpAddr>> {
    let servers = host.dns.iter().flatten();
    servers.map(|text| text.parse().map_err(|_| Error::invalid(format!("invalid DNS server: {text}")))).collect()
}

/// By which endpoint a container goes into the world: the one of the highest priority, rather than an internal one, and then
/// by the networks' names. Published ports lead to the same one, so that answers go the way the questions came.
pub(super) fn arrange(state: &State, endpoints: &mut [Endpoint], wishes: &Wishes) {
    let ports: Vec<_> = endpoints.iter_mut().flat_map(|endpoint| std::mem::take(&mut endpoint.ports)).collect();
    endpoints.sort_by_cached_key(|endpoint| {
        let name = state.networks.get(&endpoint.network).map_or("", |held| held.network.name.as_str());
        let priority = wishes.get(name).and_then(|wish| wish.gw_priority).unwrap_or_default();
        (endpoint.wire.is_internal(), Reverse(priority), name.to_owned())
    });
    give_ports(endpoints, &ports);
}

/// Puts the ports where they can lead to: the first endpoint that can publish; with none of them, the first.
pub(super) fn give_ports(endpoints: &mut [Endpoint], ports: &[::network::PublishedPort]) {
    let place = endpoints.iter().position(Endpoint::can_publish).unwrap_or(0);
    if let Some(endpoint) = endpoints.get_mut(place) {
        endpoint.ports = ports.to_vec();
    }
}

/// The ports to publish: those that are bound to a port of the host, and all that are exposed when that was asked for.
pub(super) fn requests(asked: Asked<'_>) -> Result<Vec<PortRequest>> {
    let bindings = asked.host.port_bindings.iter().flatten();
    let mut bindings: Vec<_> = bindings.map(|(port, hosts)| (port.as_str(), hosts.as_deref().unwrap_or(&[]))).collect();
    bindings.sort_by_key(|(port, _)| *port);
    let mut requests = Vec::new();
    for (port, hosts) in &bindings {
        for host in *hosts {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            requests.extend(PortRequest::from_binding(port, &text(&host.host_ip), &text(&host.host_port))?);
        }
    }
    if asked.host.publish_all_ports == Some(true) {
        let bound = |port: &&String| bindings.iter().any(|(bound, hosts)| *bound == port.as_str() && !hosts.is_empty());
        for port in asked.exposed.iter().filter(|port| !bound(port)) {
            requests.extend(PortRequest::from_binding(port, "", "")?);
        }
    }
    Ok(requests)
}

/// What a client leaves empty is not given.
pub(super) fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// `02:42:ac:11:00:02`
fn mac(text: &str) -> Result<[u8; 6]> {
    let parts: Vec<_> =
        text.split([':', '-']).map(|part| u8::from_str_radix(part, 16)).collect::<Result<_, _>>().unwrap_or_default();
    parts.try_into().map_err(|_| Error::invalid(format!("invalid MAC address: {text}")))
}
