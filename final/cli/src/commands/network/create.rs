//! `network create`: a bridge of one's own, with addresses and names.

use bollard_stubs::models::{ConfigReference, Ipam, IpamConfig, NetworkCreateRequest};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::grammar::{boolean, key_value};
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Let others attach containers by hand
    #[arg(long)]
    attachable: bool,
    /// Addresses that are taken by others, NAME=ADDRESS
    #[arg(long = "aux-address", value_name = "ADDRESS", value_parser = key_value::pair)]
    taken: Vec<(String, String)>,
    /// Network to take the settings from
    #[arg(long, value_name = "NETWORK")]
    config_from: Option<String>,
    /// Only keep the settings
    #[arg(long)]
    config_only: bool,
    /// Kind of network
    #[arg(short, long, value_name = "DRIVER", default_value = "bridge")]
    driver: String,
    /// Address of the host in it
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    gateway: Vec<String>,
    #[arg(long, hide = true)]
    ingress: bool,
    /// Without a way out
    #[arg(long)]
    internal: bool,
    /// Part of the subnet to give addresses from
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    ip_range: Vec<String>,
    /// Who gives the addresses
    #[arg(long, value_name = "DRIVER", default_value = "default", hide_default_value = true)]
    ipam_driver: String,
    /// Option for that, NAME=VALUE
    #[arg(long = "ipam-opt", value_name = "OPTION", value_parser = key_value::pair)]
    ipam_options: Vec<(String, String)>,
    /// Addresses of version 4 (--ipv4=false for none)
    #[arg(long, value_name = "BOOLEAN", default_missing_value = "true", num_args = 0..=1, require_equals = true, value_parser = boolean)]
    ipv4: Option<bool>,
    /// Addresses of version 6
    #[arg(long)]
    ipv6: bool,
    /// Label to set, NAME=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Option for the driver, NAME=VALUE
    #[arg(short, long = "opt", value_name = "OPTION", value_parser = key_value::pair)]
    options: Vec<(String, String)>,
    #[arg(long, hide = true, value_name = "SCOPE")]
    scope: Option<String>,
    /// Addresses of the network, such as 10.1.0.0/16
    #[arg(long, value_name = "SUBNET", value_delimiter = ',')]
    subnet: Vec<String>,
    #[arg(hide = true, value_name = "NETWORK")]
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
    #[serde(default)]
    warning: Option<String>,
}

/// The request, and what daemons before version 1.44 must be told: that a name is taken once only.
#[derive(Debug, Serialize)]
struct Body {
    #[serde(flatten)]
    request: NetworkCreateRequest,
    #[serde(rename = "CheckDuplicate")]
    check_duplicate: bool,
}

impl Execute for Create {
    const USAGE: &'static str = "[OPTIONS] NETWORK";
    const ABOUT: &'static str = "Make a network";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let created: Created = client
            .json(Request::post("/networks/create").json(&Body { request: self.body()?, check_duplicate: true })?)
            .await?;
        if let Some(warning) = created.warning.filter(|warning| !warning.is_empty()) {
            output::notice(format!("WARNING: {warning}"));
        }
        output::line(created.id)?;
        Ok(DONE)
    }
}

impl Create {
    fn body(self) -> Result<NetworkCreateRequest> {
        if self.scope.as_deref().is_some_and(|scope| scope != "local") || self.ingress {
            return Err(Error::new("networks of several machines need swarm, which this client does not speak"));
        }
        let config = self.addresses()?;
        let ipam_options = self.ipam_options.into_iter().collect::<std::collections::HashMap<_, _>>();
        let ipam = Ipam {
            driver: Some(self.ipam_driver),
            config: Some(config),
            options: Some(ipam_options).filter(|options| !options.is_empty()),
        };
        Ok(NetworkCreateRequest {
            name: self.name,
            driver: Some(self.driver),
            scope: None,
            internal: Some(self.internal),
            attachable: Some(self.attachable),
            ingress: Some(false),
            config_only: Some(self.config_only),
            config_from: self.config_from.map(|network| ConfigReference { network: Some(network) }),
            ipam: Some(ipam),
            enable_ipv4: self.ipv4,
            enable_ipv6: self.ipv6.then_some(true),
            options: Some(self.options.into_iter().collect()),
            labels: Some(key_value::map(&self.labels)),
        })
    }

    /// One entry per subnet; ranges, gateways and taken addresses go to the subnet that has them.
    fn addresses(&self) -> Result<Vec<IpamConfig>> {
        if self.subnet.is_empty() {
            if !self.ip_range.is_empty() || !self.gateway.is_empty() || !self.taken.is_empty() {
                return Err(Error::new("every ip-range or gateway must have a corresponding subnet")
                    .hint("Give the addresses of the network with --subnet."));
            }
            return Ok(Vec::new());
        }
        let new = |subnet: &String| IpamConfig { subnet: Some(subnet.clone()), ..IpamConfig::default() };
        let mut all: Vec<IpamConfig> = self.subnet.iter().map(new).collect();
        let place = |all: &[IpamConfig], what: &str, address: &str| {
            let has = |config: &IpamConfig| config.subnet.as_deref().is_some_and(|subnet| covers(subnet, address));
            all.iter().position(has).ok_or_else(|| Error::new(format!("no matching subnet for {what} {address}")))
        };
        for range in &self.ip_range {
            let place = place(&all, "range", range)?;
            all.get_mut(place).map(|config| config.ip_range.replace(range.clone()));
        }
        for gateway in &self.gateway {
            let place = place(&all, "gateway", gateway)?;
            all.get_mut(place).map(|config| config.gateway.replace(gateway.clone()));
        }
        for (name, address) in &self.taken {
            let place = place(&all, "aux-address", address)?;
            if let Some(config) = all.get_mut(place) {
                config.auxiliary_addresses.get_or_insert_default().insert(name.clone(), address.clone());
            }
        }
        Ok(all)
    }
}

/// Whether an address, or the first one of a range, is in a subnet.
fn covers(subnet: &str, address: &str) -> bool {
    let bits = |text: &str| {
        use std::net::IpAddr;
        Some(match text.parse().ok()? {
            IpAddr::V4(address) => (32, u128::from(u32::from(address))),
            IpAddr::V6(address) => (128, u128::from(address)),
        })
    };
    let Some((base, length)) = subnet.split_once('/') else { return false };
    let address = address.split('/').next().unwrap_or_default();
    let (Some((width, base)), Some((other, address)), Ok(length)) = (bits(base), bits(address), length.parse::<u32>())
    else {
        return false;
    };
    let shift = u32::saturating_sub(width, length);
    width == other && (base.checked_shr(shift) == address.checked_shr(shift))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn an_address_is_in_its_subnet_only() {
        assert!(covers("10.1.0.0/16", "10.1.2.3"));
        assert!(covers("10.1.0.0/16", "10.1.128.0/17"));
        assert!(!covers("10.1.0.0/16", "10.2.0.1"));
        assert!(covers("fd00::/64", "fd00::1"));
        assert!(!covers("fd00::/64", "10.1.0.1"));
        assert!(!covers("nonsense", "10.1.0.1"));
    }
}
