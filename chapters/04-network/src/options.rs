//! The options of a network that mean something here, by docker's names. Unknown ones are kept in the record and otherwise
//! ignored, as docker does.
//!
//! | option | meaning |
//! |---|---|
//! | `com.docker.network.bridge.name` | name of the bridge on the host |
//! | `com.docker.network.driver.mtu` | largest packet in bytes, 68 to 65535 |
//! | `com.docker.network.bridge.enable_icc` | whether containers of the network may speak to each other |
//! | `com.docker.network.bridge.enable_ip_masquerade` | whether they go into the world with the host's address |
//! | `com.docker.network.bridge.host_binding_ipv4` | the host's address for ports that are published without one |
//! | `com.docker.network.container_iface_prefix` | name of the interfaces inside, before their number |
//! | `parent` | macvlan: the interface of the host that the network is on |
//! | `macvlan_mode` | macvlan: `bridge`, `private`, `vepa` or `passthru` |

use std::collections::BTreeMap;
use std::net::IpAddr;

use namespaces::{Failure, Result};

/// The options, read.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) bridge: Option<String>,
    pub(crate) mtu: Option<u32>,
    pub(crate) icc: bool,
    pub(crate) masquerade: bool,
    pub(crate) host_ip: Option<IpAddr>,
    pub(crate) prefix: Option<String>,
    pub(crate) parent: Option<String>,
}

impl Options {
    pub(crate) fn parse(options: &BTreeMap<String, String>) -> Result<Self> {
        let text = |key: &str| options.get(key).filter(|text| !text.is_empty()).cloned();
        Ok(Self {
            bridge: text("com.docker.network.bridge.name"),
            mtu: mtu(options)?,
            icc: flag(options, "com.docker.network.bridge.enable_icc")?,
            masquerade: flag(options, "com.docker.network.bridge.enable_ip_masquerade")?,
            host_ip: host_ip(options)?,
            prefix: text("com.docker.network.container_iface_prefix")
                .or_else(|| text("com.docker.network.container_interface_prefix")),
            parent: text("parent"),
        })
    }
}

/// A flag without a value is true: `--opt com.docker.network.bridge.enable_icc` sends an empty one.
fn flag(options: &BTreeMap<String, String>, key: &str) -> Result<bool> {
    match options.get(key).map(String::as_str) {
        None | Some("" | "true" | "1") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(other) => {
            Err(Failure::new("read the network option", "it is either true or false").on(format_args!("{key}={other}")))
        }
    }
}

fn mtu(options: &BTreeMap<String, String>) -> Result<Option<u32>> {
    let Some(text) = options.get("com.docker.network.driver.mtu") else { return Ok(None) };
    match text.parse() {
        Ok(mtu) if (68..=65535).contains(&mtu) => Ok(Some(mtu)),
        _ => Err(Failure::new("read the network option", "an MTU is a number of bytes from 68 to 65535")
            .on(format_args!("com.docker.network.driver.mtu={text}"))),
    }
}

fn host_ip(options: &BTreeMap<String, String>) -> Result<Option<IpAddr>> {
    const KEY: &str = "com.docker.network.bridge.host_binding_ipv4";
    let Some(text) = options.get(KEY).filter(|text| !text.is_empty()) else { return Ok(None) };
    let refuse = || Failure::new("read the network option", "it is no IPv4 address").on(format_args!("{KEY}={text}"));
    let address: IpAddr = text.parse().map_err(|_| refuse())?;
    if address.is_ipv6() {
        return Err(refuse());
    }
    Ok((!address.is_unspecified()).then_some(address))
}
