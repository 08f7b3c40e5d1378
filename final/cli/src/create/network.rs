//! How the container is reached and what it reaches.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard_stubs::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, NetworkingConfig, PortBinding, PortMap,
};
use clap::Args;

use super::{empty, given};
use crate::error::{Error, Result};
use crate::grammar::network::{self, Attachment, is_user_defined};
use crate::grammar::port::{self, Published};

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// Network to connect to: NAME, host, none, container:NAME, or name=…,alias=…,ip=…
    #[arg(long = "network", visible_alias = "net", value_name = "NETWORK", value_parser = network::parse)]
    networks: Vec<Attachment>,
    /// Other name under which it is known in the network
    #[arg(long = "network-alias", alias = "net-alias", value_name = "NAME")]
    aliases: Vec<String>,
    /// Address to have
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    ip: Option<String>,
    /// IPv6 address to have
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    ip6: Option<String>,
    /// Link-local address to have
    #[arg(long = "link-local-ip", value_name = "ADDRESS", value_parser = address)]
    link_local: Vec<String>,
    /// Hardware address to have
    #[arg(long, value_name = "ADDRESS")]
    mac_address: Option<String>,
    /// Container to know under another name, NAME:ALIAS
    #[arg(long = "link", value_name = "CONTAINER")]
    links: Vec<String>,
    /// Publish a port, [[ADDRESS:]HOST:]PORT[/udp]
    #[arg(short, long = "publish", value_name = "PORT", value_parser = publish)]
    published: Vec<Ports>,
    /// Publish all exposed ports
    #[arg(short = 'P', long)]
    publish_all: bool,
    /// Say that a port is listened on, without publishing it
    #[arg(long = "expose", value_name = "PORT", value_parser = expose)]
    exposed: Vec<Exposed>,
    /// DNS server
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    dns: Vec<String>,
    /// Option of the resolver
    #[arg(long = "dns-option", alias = "dns-opt", value_name = "OPTION")]
    dns_options: Vec<String>,
    /// Domain to look names up in
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// Line for /etc/hosts, NAME:ADDRESS; host-gateway is the host's address
    #[arg(long = "add-host", value_name = "NAME:ADDRESS", value_parser = extra_host)]
    hosts: Vec<String>,
}

/// What one `--publish` says. A type of its own, because for clap a vector is several flags.
#[derive(Debug, Clone)]
struct Ports(Vec<Published>);

/// What one `--expose` says.
#[derive(Debug, Clone)]
struct Exposed(Vec<String>);

impl Network {
    /// Puts the flags in their places.
    pub(super) fn apply(&self, body: &mut ContainerCreateBody, host: &mut HostConfig) -> Result<()> {
        self.ports(body, host);
        host.dns = given(&self.dns);
        host.dns_options = given(&self.dns_options);
        host.dns_search = given(&self.dns_search);
        host.extra_hosts = given(&self.hosts);
        let attachments = self.attachments()?;
        host.network_mode = attachments.first().map(|first| first.name.clone());
        host.links = given(&self.links);
        let mut endpoints = HashMap::new();
        for (place, attachment) in attachments.into_iter().enumerate() {
            let name = attachment.name.clone();
            let own = is_user_defined(&name);
            // In a network that people made, links are settings of the connection.
            let links = if own && place == 0 { given(&self.links) } else { None };
            let settings = EndpointSettings { links, ..endpoint(attachment) };
            if !own && settings == EndpointSettings::default() {
                continue;
            }
            if endpoints.insert(name.clone(), settings).is_some() {
                return Err(Error::new(format!("network \"{name}\" is specified multiple times")));
            }
        }
        let endpoints = Some(endpoints).filter(|endpoints| !endpoints.is_empty());
        body.networking_config = endpoints.map(|endpoints| NetworkingConfig { endpoints_config: Some(endpoints) });
        Ok(())
    }

    fn ports(&self, body: &mut ContainerCreateBody, host: &mut HostConfig) {
        let mut bindings = PortMap::new();
        let mut exposed = HashMap::new();
        for published in self.published.iter().flat_map(|ports| &ports.0) {
            exposed.insert(published.port.clone(), empty());
            let binding = PortBinding { host_ip: Some(published.ip.clone()), host_port: Some(published.host.clone()) };
            bindings.entry(published.port.clone()).or_default().get_or_insert_default().push(binding);
        }
        for port in self.exposed.iter().flat_map(|ports| &ports.0) {
            exposed.insert(port.clone(), empty());
        }
        body.exposed_ports = Some(exposed).filter(|ports| !ports.is_empty());
        host.port_bindings = Some(bindings).filter(|bindings| !bindings.is_empty());
        host.publish_all_ports = self.publish_all.then_some(true);
    }

    /// The networks, the settings given as flags of their own added to the first.
    fn attachments(&self) -> Result<Vec<Attachment>> {
        let mut all = self.networks.clone();
        if all.is_empty() {
            all.push(Attachment { name: "default".to_owned(), ..Attachment::default() });
        }
        if all.len() > 1 && all.iter().any(|network| !is_user_defined(&network.name) && network.name != "bridge") {
            return Err(Error::new(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
            ));
        }
        let Some(first) = all.first_mut() else { return Ok(all) };
        let twice = [
            ("--network-alias", !self.aliases.is_empty() && !first.aliases.is_empty()),
            ("--ip", self.ip.is_some() && first.ipv4.is_some()),
            ("--ip6", self.ip6.is_some() && first.ipv6.is_some()),
            ("--mac-address", self.mac_address.is_some() && first.mac.is_some()),
            ("--link-local-ip", !self.link_local.is_empty() && !first.link_local.is_empty()),
        ];
        if let Some((flag, _)) = twice.iter().find(|(_, twice)| *twice) {
            return Err(Error::new(format!(
                "conflicting options: cannot specify both {flag} and per-network settings for it"
            )));
        }
        first.aliases.extend(self.aliases.iter().cloned());
        first.link_local.extend(self.link_local.iter().cloned());
        first.ipv4 = first.ipv4.take().or_else(|| self.ip.clone());
        first.ipv6 = first.ipv6.take().or_else(|| self.ip6.clone());
        first.mac = first.mac.take().or_else(|| self.mac_address.clone());
        if let Some(mac) = first.mac.as_deref().filter(|mac| !is_hardware_address(mac)) {
            return Err(Error::new(format!("{mac} is not a valid mac address")));
        }
        let own = !first.aliases.is_empty() || first.ipv4.is_some() || first.ipv6.is_some();
        if own && !is_user_defined(&first.name) {
            let what = if first.ipv4.is_some() || first.ipv6.is_some() {
                "user specified IP address is supported on user defined networks only"
            } else {
                "network-scoped alias is supported only for containers in user defined networks"
            };
            return Err(Error::new(what).hint("Make one with `skiff network create` and name it with --network."));
        }
        Ok(all)
    }
}

/// The connection's settings as the API has them.
pub(crate) fn endpoint(attachment: Attachment) -> EndpointSettings {
    let ipam = EndpointIpamConfig {
        ipv4_address: attachment.ipv4,
        ipv6_address: attachment.ipv6,
        link_local_ips: given(&attachment.link_local),
    };
    EndpointSettings {
        ipam_config: Some(ipam).filter(|ipam| *ipam != EndpointIpamConfig::default()),
        aliases: given(&attachment.aliases),
        mac_address: attachment.mac,
        driver_opts: Some(attachment.options).filter(|options| !options.is_empty()),
        gw_priority: attachment.priority,
        ..EndpointSettings::default()
    }
}

fn publish(text: &str) -> Result<Ports, String> {
    port::publish(text).map(Ports)
}

fn expose(text: &str) -> Result<Exposed, String> {
    port::expose(text).map(Exposed)
}

pub(crate) fn address(text: &str) -> Result<String, String> {
    text.trim()
        .parse::<IpAddr>()
        .map(|address| address.to_string())
        .map_err(|_| format!("IP address is not correctly formatted: {text}"))
}

/// Six pairs of hexadecimal digits.
fn is_hardware_address(text: &str) -> bool {
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    text.split([':', '-']).count() == 6 && text.split([':', '-']).all(pair)
}

/// `NAME:ADDRESS` or `NAME=ADDRESS`; the API knows only the colon.
fn extra_host(text: &str) -> Result<String, String> {
    let bad = || format!("bad format for add-host: \"{text}\"");
    let (name, address) = text.split_once('=').or_else(|| text.split_once(':')).ok_or_else(bad)?;
    if name.is_empty() {
        return Err(bad());
    }
    let plain = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
    if plain != "host-gateway" && plain.parse::<IpAddr>().is_err() {
        return Err(format!("invalid IP address in add-host: \"{address}\""));
    }
    Ok(format!("{name}:{plain}"))
}
