//! One network: the record that the engine keeps, and how a wish becomes one.
//!
//! A network of the `bridge` driver is a bridge interface on the host (a switch in the kernel, ip-link(8)), a subnet whose
//! first address the bridge holds, and a few rules. One of the `macvlan` driver has nothing on the host but its parent, an
//! interface that is there already. `host` and `none` are networks in name only: they have nothing of their own, and are
//! records so that they can be listed and asked for like the others.
//!
//! To decide on a network is apart from making it: [`Network::plan`] gives the record, which the engine writes down first,
//! and its [`Driver`](crate::Driver) makes what the record says, as often as it takes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use namespaces::{Failure, Result};
use serde::{Deserialize, Serialize};

use crate::bridge::Bridge;
use crate::driver::Wire;
use crate::macvlan::{Macvlan, Mode};
use crate::options::Options;
use crate::pool::{self, AddressPool, Pool, PoolRequest};

/// Interface names are at most 15 bytes: `IFNAMSIZ` is 16 with the closing zero (netdevice(7)).
const INTERFACE_NAME_MAX: usize = 15;

/// How a network connects its containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Kind {
    /// A switch on the host, and a pair of virtual Ethernet interfaces to it for each container.
    Bridge,
    /// Further hardware addresses on an interface of the host: the containers are machines of the host's own network.
    Macvlan,
    /// The host's own network namespace.
    Host,
    /// A namespace with a loopback and nothing else.
    None,
}

impl Kind {
    /// `bridge`, `macvlan`, `host`, `none`: docker's names (`null` is what its API calls the last one).
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "" | "default" | "bridge" => Ok(Self::Bridge),
            "macvlan" => Ok(Self::Macvlan),
            "host" => Ok(Self::Host),
            "none" | "null" => Ok(Self::None),
            other => Err(Failure::new("find the network driver", "there is no such driver")
                .on(other)
                .hint("The drivers are bridge, macvlan, host and none.")),
        }
    }

    /// The name that docker's API shows: `bridge`, `macvlan`, `host`, `null`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Macvlan => "macvlan",
            Self::Host => "host",
            Self::None => "null",
        }
    }
}

/// One network: what is in its directory as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// 64 hexadecimal digits.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How it connects its containers.
    pub driver: Kind,
    /// The interface on the host: of a bridge, `skiff0` for the default network and `br-` and 12 digits of the id for
    /// others; of a macvlan, its parent. `None` for `host` and `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Its IPv4 addresses. `None` for `host` and `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Pool>,
    /// Its IPv6 addresses. `None` for a network without IPv6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Pool>,
    /// Whether its containers reach each other only, and nothing outside.
    #[serde(default)]
    pub internal: bool,
    /// Whether its containers may speak to each other (docker's `enable_icc`).
    #[serde(default = "yes")]
    pub icc: bool,
    /// Whether what its containers send out carries the host's address (docker's `enable_ip_masquerade`).
    #[serde(default = "yes")]
    pub masquerade: bool,
    /// Largest packet in bytes, for the bridge and its interfaces. `None` is the kernel's 1500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// What an interface in a container is called, before its number. `None` is `eth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// The host's address that ports are published on when none is given. `None` is every address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<IpAddr>,
    /// What the user wrote on it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The driver's options as they were asked for, docker's names.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// What docker's API shows and nothing here depends on.
    #[serde(default, skip_serializing_if = "Shown::is_empty")]
    pub shown: Shown,
    /// When it was made, RFC 3339.
    pub created: String,
}

/// Parts of a request that are kept to be shown again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Whether services of a swarm might use the network.
    #[serde(default)]
    pub attachable: bool,
    /// Options of the address driver. `None` and none are two things in docker's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipam_options: Option<BTreeMap<String, String>>,
}

impl Shown {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a record that was written before the field existed means by leaving it out.
fn yes() -> bool {
    true
}

/// What is asked of a new network, before anything is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// What people will call it.
    pub name: String,
    /// `bridge` when empty.
    pub driver: String,
    /// The bridge interface's name. `None` gives `br-` and 12 digits of the id.
    pub interface: Option<String>,
    /// What is asked of its IPv4 addresses.
    pub ipv4: PoolRequest,
    /// What is asked of its IPv6 addresses. `None`: it has none.
    pub ipv6: Option<PoolRequest>,
    /// Where subnets are taken from that are not given. Empty: docker's choice.
    pub pools: Vec<AddressPool>,
    /// See [`Network::internal`].
    pub internal: bool,
    /// See [`Network::labels`].
    pub labels: BTreeMap<String, String>,
    /// The driver's options: `options.rs` has the list.
    pub options: BTreeMap<String, String>,
    /// See [`Network::shown`].
    pub shown: Shown,
}

impl Network {
    /// Decides what the network will be. `taken` are the subnets in use: other networks' and the host's routes.
    /// Pure: nothing is made.
    ///
    /// # Errors
    /// An unknown driver, an option that cannot be read, an interface name that is too long, a subnet that is taken or too
    /// small, a gateway or range outside of it, or no free subnet.
    pub fn plan(request: Request, id: &str, created: &str, taken: &[IpNet]) -> Result<Self> {
        let driver = Kind::parse(&request.driver)?;
        let options = Options::parse(&request.options)?;
        let interface = match driver {
            Kind::Bridge => {
                let wanted = request.interface.clone().or(options.bridge);
                let interface = wanted.unwrap_or_else(|| format!("br-{}", id.get(..12).unwrap_or(id)));
                Some(interface_name(interface)?)
            }
            Kind::Macvlan => {
                Mode::parse(request.options.get("macvlan_mode").map_or("", String::as_str))?;
                let parent = options.parent.ok_or_else(|| {
                    Failure::new("plan the macvlan network", "no parent is given")
                        .hint("Say which interface of the host it is on: --opt parent=eth0")
                })?;
                Some(interface_name(parent)?)
            }
            Kind::Host | Kind::None => None,
        };
        // A macvlan's subnet is the one that its parent is in, so there it is no matter who else has a route to it.
        let taken = if driver == Kind::Macvlan { &[] } else { taken };
        let (mut ipv4, mut ipv6) = (None, None);
        if interface.is_some() {
            ipv4 = Some(pool::plan(&request.ipv4, &request.pools, taken)?);
            ipv6 = request.ipv6.map(|ipv6| pool::plan6(&ipv6, &request.pools, id, taken)).transpose()?;
        }
        Ok(Self {
            id: id.to_owned(),
            name: request.name,
            driver,
            interface,
            ipv4,
            ipv6,
            internal: request.internal,
            icc: options.icc,
            masquerade: options.masquerade,
            mtu: options.mtu,
            prefix: options.prefix.map(interface_name).transpose()?,
            host_ip: options.host_ip,
            labels: request.labels,
            options: request.options,
            shown: request.shown,
            created: created.to_owned(),
        })
    }

    /// How it connects its containers, with all that must be known for it. `None` for `host` and `none`.
    pub fn wire(&self) -> Option<Wire> {
        match self.driver {
            Kind::Bridge => self.bridge().map(Wire::Bridge),
            Kind::Macvlan => Some(Wire::Macvlan(Macvlan {
                parent: self.interface.clone()?,
                mode: self.options.get("macvlan_mode").and_then(|mode| Mode::parse(mode).ok()).unwrap_or_default(),
                mtu: self.mtu,
                internal: self.internal,
            })),
            Kind::Host | Kind::None => None,
        }
    }

    /// The facts of its bridge. `None` for networks of other drivers.
    pub fn bridge(&self) -> Option<Bridge> {
        if self.driver != Kind::Bridge {
            return None;
        }
        Some(Bridge {
            interface: self.interface.clone()?,
            address: self.ipv4.as_ref()?.gateway_with_prefix(),
            address6: self.ipv6.as_ref().map(Pool::gateway_with_prefix),
            mtu: self.mtu,
            internal: self.internal,
            icc: self.icc,
            masquerade: self.masquerade,
        })
    }

    /// What an interface in a container is called by itself: `eth0`.
    pub fn interface_of(&self, index: usize) -> String {
        format!("{}{index}", self.prefix.as_deref().unwrap_or("eth"))
    }

    /// Its subnets.
    pub fn subnets(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.ipv4.iter().chain(&self.ipv6).map(|pool| pool.subnet)
    }
}

/// Refuses what the kernel would refuse as the name of an interface (`dev_valid_name`): it is also safe in nft's text.
pub(crate) fn interface_name(name: String) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > INTERFACE_NAME_MAX || !name.chars().all(plain) || name.starts_with('.') {
        return Err(Failure::new("name an interface", "an interface name has 1 to 15 letters, digits, dashes or dots")
            .on(format_args!("{name:?}")));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn plan(options: &[(&str, &str)], change: impl FnOnce(&mut Request)) -> Result<Network> {
        let owned = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut request = Request { name: "web".to_owned(), options: owned.collect(), ..Request::default() };
        change(&mut request);
        Network::plan(request, ID, "2026-01-01T00:00:00Z", &["172.17.0.0/16".parse().unwrap()])
    }

    #[test]
    fn the_record_is_json_that_a_person_can_read() {
        let network = plan(&[("com.docker.network.driver.mtu", "1450")], |_| {}).unwrap();
        insta::assert_json_snapshot!(network, @r#"
        {
          "id": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
          "name": "web",
          "driver": "bridge",
          "interface": "br-0123456789ab",
          "ipv4": {
            "subnet": "172.18.0.0/16",
            "gateway": "172.18.0.1",
            "chosen": true
          },
          "internal": false,
          "icc": true,
          "masquerade": true,
          "mtu": 1450,
          "labels": {},
          "options": {
            "com.docker.network.driver.mtu": "1450"
          },
          "created": "2026-01-01T00:00:00Z"
        }
        "#);
        let text = serde_json::to_string(&network).unwrap();
        assert_eq!(serde_json::from_str::<Network>(&text).unwrap(), network);
    }

    #[test]
    fn host_and_none_are_networks_in_name_only() {
        for (driver, api) in [("host", "host"), ("none", "null"), ("null", "null")] {
            let network = plan(&[], |request| request.driver = driver.to_owned()).unwrap();
            assert_eq!((network.wire(), network.ipv4, network.driver.as_str()), (None, None, api));
        }
    }

    #[test]
    fn an_interface_name_fits_the_kernel() {
        let named =
            |name: &str| plan(&[("com.docker.network.bridge.name", name)], |_| {}).map(|network| network.interface);
        assert_eq!(named("skiff0").unwrap().as_deref(), Some("skiff0"));
        assert_eq!(named("").unwrap().as_deref(), Some("br-0123456789ab"));
        for name in ["sixteen-letters!", "a-name-too-long-", "a b", "..", "br/0", "x\"y"] {
            assert!(named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_option_that_cannot_be_read_is_named() {
        let say = |key, value| plan(&[(key, value)], |_| {}).unwrap_err().to_string();
        let said = [
            say("com.docker.network.driver.mtu", "big"),
            say("com.docker.network.bridge.enable_icc", "maybe"),
            plan(&[], |request| request.driver = "overlay".to_owned()).unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        cannot read the network option com.docker.network.driver.mtu=big: an MTU is a number of bytes from 68 to 65535
        cannot read the network option com.docker.network.bridge.enable_icc=maybe: it is either true or false
        cannot find the network driver overlay: there is no such driver
        ");
    }
}
