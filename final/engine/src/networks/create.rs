//! A request of the API becomes a network; removal.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use ::network::{Network, PoolRequest, Request, Shown, netlink};
use bollard_stubs::models::{
    EventMessageTypeEnum, IpamConfig, NetworkCreateRequest, NetworkCreateResponse, NetworkPruneResponse,
};
use jiff::Timestamp;
use namespaces::{Context, Failure};

use super::view::is_dangling;
use super::{Held, Networks, is_default, new_id, taken};
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::filters::Filters;

impl Engine {
    /// Makes a network. Its bridge comes with its first container.
    ///
    /// # Errors
    /// A name that is taken (409) or one of the three (403), an unknown driver, a subnet that is in use (403).
    pub async fn create_network(&self, request: NetworkCreateRequest) -> Result<NetworkCreateResponse> {
        let warning = unused(&request);
        let wish = wish(request)?;
        let id = self.blocking(move |engine| engine.networks.create(wish)).await?;
        Ok(NetworkCreateResponse { id, warning })
    }

    /// Removes a network that nobody is on.
    ///
    /// # Errors
    /// 404, or 403 when it is one of the three or has containers.
    pub async fn remove_network(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.blocking(move |engine| engine.networks.remove(&name)).await
    }

    /// Removes the networks that nobody is on. Filters: `label`, `until`.
    pub async fn prune_networks(&self, filters: &Filters) -> Result<NetworkPruneResponse> {
        filters.only(&["label", "label!", "until"])?;
        let until = filters.until()?;
        let dangling = |held: &&Held| {
            let labels: HashMap<_, _> = held.network.labels.clone().into_iter().collect();
            let created = held.network.created.parse().unwrap_or(Timestamp::MAX);
            is_dangling(held) && filters.labels(&labels) && until.is_none_or(|until| created < until)
        };
        let names: Vec<_> =
            self.networks.lock().networks.values().filter(dangling).map(|held| held.network.name.clone()).collect();
        for name in &names {
            self.remove_network(name).await?;
        }
        Ok(NetworkPruneResponse { networks_deleted: Some(names) })
    }
}

impl Networks {
    pub(super) fn create(&self, wish: Request) -> Result<String> {
        let mut state = self.lock();
        if state.networks.values().any(|held| held.network.name == wish.name) {
            return Err(Error::conflict(format!("network with name {} already exists", wish.name)));
        }
        let (id, taken) = (new_id()?, taken(&state, None)?);
        let wish = Request { pools: self.pools.clone(), ..wish };
        let network = Network::plan(wish, &id, &Timestamp::now().to_string(), &taken).map_err(refusal)?;
        refuse_stranger(&network)?;
        self.tell("create", &network, None);
        self.keep(&mut state, network)?;
        Ok(id)
    }

    fn remove(&self, name: &str) -> Result<()> {
        let mut state = self.lock();
        let id = state.find(name)?;
        let held = state.held(&id)?;
        if is_default(&held.network) {
            let name = &held.network.name;
            return Err(Error::forbidden(format!("{name} is a pre-defined network and cannot be removed")));
        }
        if !held.endpoints.is_empty() {
            let holders: Vec<_> = held.endpoints.keys().map(|id| id.get(..12).unwrap_or(id)).collect();
            return Err(Error::forbidden(format!(
                "error while removing network: network {name} has active endpoints ({})",
                holders.join(", ")
            ))
            .hint("Stop these containers or disconnect them first."));
        }
        // The link first: a record without its bridge is removed again, a bridge without its record is forgotten.
        if let Some(wire) = held.network.wire() {
            wire.driver().remove(&self.firewall)?;
        }
        let network = held.network.clone();
        let directory = self.directory(&id);
        std::fs::remove_dir_all(&directory).during("remove the record of the network", directory.display())?;
        state.networks.remove(&id);
        drop(state);
        self.tell("destroy", &network, None);
        Ok(())
    }

    /// An event of a network, with the container that it is about.
    pub(super) fn tell(&self, action: &str, network: &Network, container: Option<&str>) {
        let mut attributes = HashMap::from([
            ("name".to_owned(), network.name.clone()),
            ("type".to_owned(), network.driver.as_str().to_owned()),
        ]);
        attributes.extend(container.map(|id| ("container".to_owned(), id.to_owned())));
        self.events.emit(EventMessageTypeEnum::NETWORK, action, &network.id, attributes);
    }
}

/// The API's request as the chapter's.
fn wish(request: NetworkCreateRequest) -> Result<Request> {
    if request.name.trim().is_empty() {
        return Err(Error::invalid("invalid network name: the name is empty"));
    }
    if matches!(request.name.as_str(), "bridge" | "host" | "none" | "default") {
        return Err(Error::forbidden(format!("operation is not permitted on predefined {} network", request.name)));
    }
    for (asked, what) in [
        (request.enable_ipv4 == Some(false), "a network without IPv4"),
        (request.config_only == Some(true), "a configuration without a network (--config-only)"),
        (request.ingress == Some(true), "the swarm's ingress network"),
        (request.scope.as_deref() == Some("swarm"), "a network of the scope swarm"),
    ] {
        if asked {
            return Err(Error::unsupported(format!("network {}: {what} is not supported yet", request.name)));
        }
    }
    let driver = request.driver.unwrap_or_default();
    refuse_driver(&driver)?;
    let ipam = request.ipam.unwrap_or_default();
    if let Some(other) = ipam.driver.filter(|driver| !matches!(driver.as_str(), "" | "default")) {
        return Err(
            Error::not_found(format!("plugin \"{other}\" not found")).hint("There is one IPAM driver, default.")
        );
    }
    let (ipv4, ipv6) = pools(&driver, ipam.config.unwrap_or_default())?;
    if matches!(driver.as_str(), "host" | "none" | "null") {
        return Err(Error::forbidden(format!("only one instance of \"{driver}\" network is allowed")));
    }
    Ok(Request {
        name: request.name,
        driver,
        interface: None,
        ipv4: ipv4.unwrap_or_default(),
        ipv6: (request.enable_ipv6 == Some(true)).then(|| ipv6.unwrap_or_default()),
        pools: Vec::new(),
        internal: request.internal.unwrap_or_default(),
        labels: request.labels.unwrap_or_default().into_iter().collect(),
        options: request.options.unwrap_or_default().into_iter().collect(),
        shown: Shown {
            attachable: request.attachable.unwrap_or_default(),
            ipam_options: ipam.options.map(|options| options.into_iter().collect()),
        },
    })
}

/// A driver that is not here, in docker's words.
fn refuse_driver(driver: &str) -> Result<()> {
    if driver == "overlay" {
        return Err(Error::new(
            Kind::Unavailable,
            "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to \
             swarm and try again.",
        ));
    }
    match ::network::Kind::parse(driver) {
        Ok(_) => Ok(()),
        Err(failure) => {
            let refusal = Error::not_found(format!("plugin \"{driver}\" not found"));
            Err(refusal.hint(failure.hint.unwrap_or_default()))
        }
    }
}

/// Refuses to take an interface of the host for the network's bridge that is none.
fn refuse_stranger(network: &Network) -> Result<()> {
    let (Some(name), Some(_)) = (&network.interface, network.bridge()) else { return Ok(()) };
    match netlink::link(&mut netlink::Socket::route()?, name)? {
        Some(link) if link.kind != "bridge" => {
            Err(Error::forbidden(format!("existing interface {name} is not a bridge")))
        }
        _ => Ok(()),
    }
}

/// The wish for each family: at most one subnet of each, as with docker's bridge.
fn pools(driver: &str, configs: Vec<IpamConfig>) -> Result<(Option<PoolRequest>, Option<PoolRequest>)> {
    let (mut ipv4, mut ipv6) = (None, None);
    for config in configs {
        let pool = pool(&config)?;
        let six = pool.subnet.map_or_else(
            || pool.gateway.is_some_and(|gateway| gateway.is_ipv6()),
            |subnet| matches!(subnet, ipnet::IpNet::V6(_)),
        );
        let place = if six { &mut ipv6 } else { &mut ipv4 };
        if place.replace(pool).is_some() {
            let driver = if driver.is_empty() { "bridge" } else { driver };
            return Err(Error::forbidden(format!("{driver} driver doesn't support multiple subnets")));
        }
    }
    Ok((ipv4, ipv6))
}

fn pool(config: &IpamConfig) -> Result<PoolRequest> {
    let reserved = config.auxiliary_addresses.iter().flatten();
    let reserved = reserved.map(|(name, text)| match text.parse() {
        Ok(address) => Ok((name.clone(), address)),
        Err(_) => Err(Error::invalid(format!("invalid --aux-address {name}={text}: not an IP address"))),
    });
    Ok(PoolRequest {
        subnet: address(config, "subnet", config.subnet.as_deref())?,
        gateway: address(config, "gateway", config.gateway.as_deref())?,
        range: address(config, "ip-range", config.ip_range.as_deref())?,
        reserved: reserved.collect::<Result<BTreeMap<_, _>>>()?,
    })
}

/// An address or prefix of the request; an empty text is none.
fn address<T: FromStr>(config: &IpamConfig, what: &str, text: Option<&str>) -> Result<Option<T>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let form = if what == "gateway" { "invalid address" } else { "invalid CIDR block notation" };
        let subnet = config.subnet.as_deref().unwrap_or_default();
        let of = if subnet.is_empty() || what == "subnet" { String::new() } else { format!(" (of {subnet})") };
        Error::invalid(format!("invalid {what} {text}: {form}{of}"))
            .hint("Write it as in --subnet 10.1.0.0/16 --gateway 10.1.0.1.")
    })
}

/// What was asked for and means nothing: docker takes it in silence.
fn unused(request: &NetworkCreateRequest) -> String {
    let subnets = request.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten()).flat_map(|config| &config.subnet);
    match subnets.into_iter().find(|subnet| subnet.contains(':')) {
        Some(subnet) if request.enable_ipv6 != Some(true) => {
            format!("the subnet {subnet} is not used: the network was made without IPv6 (--ipv6)")
        }
        _ => String::new(),
    }
}

/// A plan that cannot be: docker answers 403 for addresses and 400 for the rest.
fn refusal(failure: Failure) -> Error {
    let kind = if failure.step.contains("subnet") { Kind::Forbidden } else { Kind::Invalid };
    let error = Error::new(kind, failure.to_string());
    match failure.hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: &str) -> NetworkCreateRequest {
        serde_json::from_str(json).unwrap()
    }

    /// What docker 28.2.2 sends for `docker network create --subnet 10.1.0.0/16 foo`.
    #[test]
    fn the_docker_clients_request_is_understood() {
        let wish = wish(request(
            r#"{"Driver":"bridge","Scope":"","IPAM":{"Driver":"default","Options":{},"Config":[{"Subnet":"10.1.0.0/16"}]},
            "Internal":false,"Attachable":false,"Ingress":false,"ConfigOnly":false,"ConfigFrom":null,"Options":{},
            "Labels":{},"Name":"foo"}"#,
        ))
        .unwrap();
        assert_eq!(wish.ipv4.subnet.unwrap().to_string(), "10.1.0.0/16");
        assert_eq!((wish.name.as_str(), wish.driver.as_str(), wish.internal), ("foo", "bridge", false));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused: Vec<_> = [
            r#"{"Name":" "}"#,
            r#"{"Name":"host"}"#,
            r#"{"Name":"a","Driver":"host"}"#,
            r#"{"Name":"a","IPAM":{"Config":[{"Subnet":"10.1.0.0/16","AuxiliaryAddresses":{"x":"y"}}]}}"#,
            r#"{"Name":"a","Driver":"nonsense"}"#,
            r#"{"Name":"a","Driver":"overlay"}"#,
            r#"{"Name":"a","IPAM":{"Driver":"nonsense"}}"#,
            r#"{"Name":"a","IPAM":{"Config":[{"Gateway":"x"}]}}"#,
            r#"{"Name":"a","IPAM":{"Config":[{"Subnet":"10.1.0.0/33"}]}}"#,
            r#"{"Name":"a","IPAM":{"Config":[{},{}]}}"#,
        ]
        .into_iter()
        .map(|json| wish(request(json)).unwrap_err())
        .map(|error| format!("{} {}", error.kind.status(), error.message))
        .collect();
        insta::assert_snapshot!(refused.join("\n"));
    }
}
