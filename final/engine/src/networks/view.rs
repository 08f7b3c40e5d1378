//! Networks and endpoints as the API shows them.

use std::collections::HashMap;

use ::network::{Attachment, Endpoint, Network, Protocol, PublishedPort};
use bollard_stubs::models::{
    self, ConfigReference, EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkContainer, NetworkSettings,
    PortBinding, PortMap,
};

use super::{Held, Networks};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::filters::Filters;

impl Engine {
    /// All networks that pass `filters`: `driver`, `id`, `label`, `name`, `scope`, `type`, `dangling`.
    pub fn list_networks(&self, filters: &Filters) -> Result<Vec<models::Network>> {
        filters.only(&["driver", "id", "label", "name", "scope", "type", "dangling"])?;
        if let Some(kind) = filters.get("type").iter().find(|kind| !matches!(kind.as_str(), "builtin" | "custom")) {
            return Err(Error::invalid(format!("invalid filter: 'type'='{kind}'")).hint("It is builtin or custom."));
        }
        let dangling = filters.flag("dangling")?;
        let state = self.networks.lock();
        let mut found: Vec<_> = state
            .networks
            .values()
            .filter(|held| passes(held, filters))
            .filter(|held| dangling.is_none_or(|wanted| wanted == is_dangling(held)))
            .map(|held| show(&held.network))
            .collect();
        found.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
        Ok(found)
    }

    /// One network, and the containers that are on it.
    pub fn inspect_network(&self, name: &str) -> Result<models::Network> {
        let (mut shown, endpoints) = {
            let mut state = self.networks.lock();
            let id = state.find(name)?;
            let held = state.held(&id)?;
            (show(&held.network), held.endpoints.clone())
        };
        let containers = endpoints.into_iter().map(|(id, endpoint)| {
            let name = self.container_name(&id);
            (id, show_container(&endpoint, name))
        });
        shown.containers = Some(containers.collect());
        Ok(shown)
    }
}

fn passes(held: &Held, filters: &Filters) -> bool {
    let network = &held.network;
    let builtin = if super::is_default(network) { "builtin" } else { "custom" };
    let labels = network.labels.clone().into_iter().collect();
    filters.any("driver", |driver| driver == network.driver.as_str())
        && filters.any("id", |id| network.id.starts_with(id))
        && filters.any("name", |name| network.name.contains(name))
        && filters.any("scope", |scope| scope == "local")
        && filters.any("type", |kind| kind == builtin)
        && filters.labels(&labels)
}

/// Whether it could be removed: nobody is on it, and it is not one of the three.
pub(super) fn is_dangling(held: &Held) -> bool {
    held.endpoints.is_empty() && !super::is_default(&held.network)
}

/// A network without its containers. Every list and object is there: clients print them with templates.
pub(super) fn show(network: &Network) -> models::Network {
    let shown = &network.shown;
    let config = network.ipv4.iter().chain(&network.ipv6).map(|pool| IpamConfig {
        subnet: Some(pool.subnet.to_string()),
        gateway: Some(pool.gateway.to_string()),
        ip_range: pool.range.map(|range| range.to_string()),
        auxiliary_addresses: Some(&pool.reserved)
            .filter(|reserved| !reserved.is_empty())
            .map(|reserved| reserved.iter().map(|(name, address)| (name.clone(), address.to_string())).collect()),
    });
    models::Network {
        name: Some(network.name.clone()),
        id: Some(network.id.clone()),
        created: Some(network.created.clone()),
        scope: Some("local".into()),
        driver: Some(network.driver.as_str().into()),
        enable_ipv4: Some(true),
        enable_ipv6: Some(network.ipv6.is_some()),
        ipam: Some(Ipam {
            driver: Some("default".into()),
            config: Some(config.collect()),
            options: shown.ipam_options.clone().map(|options| options.into_iter().collect()),
        }),
        internal: Some(network.internal),
        attachable: Some(shown.attachable),
        ingress: Some(false),
        config_from: Some(ConfigReference { network: Some(String::new()) }),
        config_only: Some(false),
        containers: Some(HashMap::new()),
        options: Some(options(network)),
        labels: Some(network.labels.clone().into_iter().collect()),
        peers: None,
    }
}

/// The options that were asked for; of the default network, as docker shows them: people look up its bridge there.
fn options(network: &Network) -> HashMap<String, String> {
    let mut options: HashMap<_, _> = network.options.clone().into_iter().collect();
    let Some(bridge) = network.interface.as_ref().filter(|_| super::is_default(network)) else { return options };
    let mut tell = |key: &str, value: String| {
        options.entry(format!("com.docker.network.{key}")).or_insert(value);
    };
    tell("bridge.default_bridge", "true".to_owned());
    tell("bridge.enable_icc", network.icc.to_string());
    tell("bridge.enable_ip_masquerade", network.masquerade.to_string());
    tell("bridge.host_binding_ipv4", network.host_ip.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string()));
    tell("bridge.name", bridge.clone());
    tell("driver.mtu", network.mtu.unwrap_or(1500).to_string());
    options
}

fn show_container(endpoint: &Endpoint, name: Option<String>) -> NetworkContainer {
    NetworkContainer {
        name,
        endpoint_id: Some(endpoint_id(endpoint)),
        mac_address: Some(endpoint.mac_text()),
        ipv4_address: Some(endpoint.address.to_string()),
        ipv6_address: Some(endpoint.address6.map(|address| address.to_string()).unwrap_or_default()),
    }
}

/// 64 digits like docker's, without another record: half of the container's id, half of the network's.
fn endpoint_id(endpoint: &Endpoint) -> String {
    let half = |id: &str| id.get(..32).unwrap_or(id).to_owned();
    half(&endpoint.container) + &half(&endpoint.network)
}

/// What is asked of each network, by its name: `NetworkingConfig.EndpointsConfig`.
pub type Wishes = HashMap<String, EndpointSettings>;

/// A container's `NetworkSettings`: `attachment` is what it holds (`None` when it does not run), `asked` are the networks of
/// its request by name, `sandbox` is the path of its namespace.
pub fn settings(
    networks: &Networks,
    attachment: Option<&Attachment>,
    asked: &Wishes,
    sandbox: Option<String>,
) -> NetworkSettings {
    let shown = self::endpoints(networks, attachment, asked);
    let endpoints = attachment.map_or(&[][..], Attachment::endpoints);
    // The fields beside `Networks` are those of the default network, from the time when there was no other.
    let default = endpoints.iter().find(|endpoint| networks.name_of(&endpoint.network) == "bridge");
    let flat = default.map(|endpoint| show_endpoint(endpoint, EndpointSettings::default())).unwrap_or_default();
    let text = |value: Option<String>| Some(value.unwrap_or_default());
    NetworkSettings {
        bridge: Some(String::new()),
        sandbox_id: text(endpoints.first().map(|endpoint| endpoint.container.clone())),
        hairpin_mode: Some(false),
        link_local_ipv6_address: Some(String::new()),
        link_local_ipv6_prefix_len: Some(0),
        ports: Some(ports(endpoints.iter().flat_map(|endpoint| &endpoint.ports))),
        sandbox_key: text(sandbox),
        endpoint_id: text(flat.endpoint_id),
        gateway: text(flat.gateway),
        global_ipv6_address: text(flat.global_ipv6_address),
        global_ipv6_prefix_len: Some(flat.global_ipv6_prefix_len.unwrap_or_default()),
        ip_address: text(flat.ip_address),
        ip_prefix_len: Some(flat.ip_prefix_len.unwrap_or_default()),
        ipv6_gateway: text(flat.ipv6_gateway),
        mac_address: text(flat.mac_address),
        networks: Some(shown),
        ..NetworkSettings::default()
    }
}

/// The part of [`settings`] that a list shows as well: each network by its name, and what the container has of it.
pub fn endpoints(
    networks: &Networks,
    attachment: Option<&Attachment>,
    asked: &Wishes,
) -> HashMap<String, EndpointSettings> {
    let mut shown: HashMap<_, _> = asked.iter().map(|(name, asked)| networks.show_asked(name, asked)).collect();
    for endpoint in attachment.map_or(&[][..], Attachment::endpoints) {
        let name = networks.name_of(&endpoint.network);
        let settings = shown.remove(&name).unwrap_or_default();
        shown.insert(name, show_endpoint(endpoint, settings));
    }
    shown
}

impl Networks {
    /// The name of the network with this id; the id itself when it is gone.
    fn name_of(&self, id: &str) -> String {
        self.lock().networks.get(id).map_or_else(|| id.to_owned(), |held| held.network.name.clone())
    }

    /// An endpoint of a container that does not run: what was asked for, and the network's id.
    fn show_asked(&self, name: &str, asked: &EndpointSettings) -> (String, EndpointSettings) {
        let state = self.lock();
        let found = state.find(name).ok().and_then(|id| state.networks.get(&id));
        let name = found.map_or_else(|| name.to_owned(), |held| held.network.name.clone());
        let empty = || Some(String::new());
        let shown = EndpointSettings {
            network_id: found.map(|held| held.network.id.clone()).or_else(empty),
            endpoint_id: empty(),
            gateway: empty(),
            ip_address: empty(),
            ip_prefix_len: Some(0),
            ipv6_gateway: empty(),
            global_ipv6_address: empty(),
            global_ipv6_prefix_len: Some(0),
            mac_address: asked.mac_address.clone().or_else(empty),
            ..asked.clone()
        };
        (name, shown)
    }
}

/// An endpoint that is in place; `asked` gives what only the request knows, such as aliases.
fn show_endpoint(endpoint: &Endpoint, asked: EndpointSettings) -> EndpointSettings {
    EndpointSettings {
        network_id: Some(endpoint.network.clone()),
        endpoint_id: Some(endpoint_id(endpoint)),
        gateway: Some(endpoint.gateway.map(|gateway| gateway.to_string()).unwrap_or_default()),
        ip_address: Some(endpoint.address.addr().to_string()),
        ip_prefix_len: Some(endpoint.address.prefix_len().into()),
        mac_address: Some(endpoint.mac_text()),
        ipv6_gateway: Some(endpoint.gateway6.map(|gateway| gateway.to_string()).unwrap_or_default()),
        global_ipv6_address: Some(endpoint.address6.map(|net| net.addr().to_string()).unwrap_or_default()),
        global_ipv6_prefix_len: Some(endpoint.address6.map_or(0, |net| net.prefix_len().into())),
        dns_names: Some(endpoint.names.clone()).filter(|names| !names.is_empty()),
        ipam_config: asked.ipam_config.filter(|config| *config != EndpointIpamConfig::default()),
        ..asked
    }
}

/// Published ports by the container's port, `80/tcp`.
fn ports<'a>(published: impl Iterator<Item = &'a PublishedPort>) -> PortMap {
    let mut map = PortMap::new();
    for port in published {
        let key = port_key(port.container_port, port.protocol);
        map.entry(key)
            .or_default()
            .get_or_insert_default()
            .push(PortBinding { host_ip: Some(port.host_ip.to_string()), host_port: Some(port.host_port.to_string()) });
    }
    map
}

fn port_key(port: u16, protocol: Protocol) -> String {
    format!("{port}/{protocol}")
}
