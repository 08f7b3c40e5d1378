//! `port`: which ports of the host lead to the container.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde::Deserialize;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::output;

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Port {
    #[arg(hide = true, value_name = "CONTAINER")]
    container: String,
    #[arg(hide = true, value_name = "PRIVATE_PORT")]
    port: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    network_settings: Settings,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    #[serde(default)]
    ports: Option<BTreeMap<String, Option<Vec<Binding>>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Binding {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    host_port: String,
}

impl Execute for Port {
    const USAGE: &'static str = "CONTAINER [PRIVATE_PORT[/PROTO]]";
    const ABOUT: &'static str = "List the published ports of a container";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let inspected: Inspected = client.json(Request::get(format!("{}/json", path(&self.container)))).await?;
        let ports = inspected.network_settings.ports.unwrap_or_default();
        match &self.port {
            None => output::print(all(&ports))?,
            Some(port) => {
                let number = port.split('/').next().unwrap_or_default();
                if number.parse::<u16>().is_err() {
                    let why = format!("strconv.ParseUint: parsing \"{number}\": invalid syntax");
                    return Err(Error::new(format!("Error: invalid port ({number}): {why}")));
                }
                let missing = || Error::new(format!("Error: No public port '{port}' published for {}", self.container));
                output::print(one(&ports, port).ok_or_else(missing)?)?;
            }
        }
        Ok(DONE)
    }
}

/// `80/tcp -> 0.0.0.0:8080` lines, by number.
fn all(ports: &BTreeMap<String, Option<Vec<Binding>>>) -> String {
    let number = |port: &str| port.split('/').next().and_then(|number| number.parse::<u16>().ok()).unwrap_or(0);
    let mut sorted: Vec<_> = ports.iter().collect();
    sorted.sort_by_key(|(port, _)| (number(port), port.as_str().to_owned()));
    let mut out = String::new();
    for (port, bindings) in sorted {
        for binding in bindings.iter().flatten() {
            let _ = writeln!(out, "{port} -> {}", address(binding));
        }
    }
    out
}

/// Where one port is published.
fn one(ports: &BTreeMap<String, Option<Vec<Binding>>>, port: &str) -> Option<String> {
    let key = if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") };
    let bindings = ports.get(&key)?.as_ref()?;
    Some(bindings.iter().map(|binding| address(binding) + "\n").collect())
}

fn address(binding: &Binding) -> String {
    let Binding { host_ip, host_port } = binding;
    if host_ip.contains(':') { format!("[{host_ip}]:{host_port}") } else { format!("{host_ip}:{host_port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_listed_by_number() {
        let json = r#"{"9000/udp":[{"HostIp":"127.0.0.1","HostPort":"9000"}],"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8081"},{"HostIp":"::","HostPort":"8081"}],"99/tcp":null}"#;
        let ports = serde_json::from_str(json).unwrap();
        assert_eq!(all(&ports), "80/tcp -> 0.0.0.0:8081\n80/tcp -> [::]:8081\n9000/udp -> 127.0.0.1:9000\n");
        assert_eq!(one(&ports, "80").as_deref(), Some("0.0.0.0:8081\n[::]:8081\n"));
        assert_eq!(one(&ports, "99/tcp"), None);
        assert_eq!(one(&ports, "80/udp"), None);
    }
}
