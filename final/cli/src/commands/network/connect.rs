//! `network connect` and `network disconnect`.

use bollard_stubs::models::{EndpointSettings, NetworkConnectRequest, NetworkDisconnectRequest};
use clap::Args;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::create::{address, endpoint};
use crate::error::Result;
use crate::grammar::key_value;
use crate::grammar::network::Attachment;

/// The flags and arguments of `connect`.
#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// Other name under which it is known in the network
    #[arg(long = "alias", value_name = "NAME", value_delimiter = ',')]
    aliases: Vec<String>,
    /// Option for the network's driver, NAME=VALUE
    #[arg(long = "driver-opt", value_name = "OPTION", value_delimiter = ',', value_parser = key_value::pair)]
    options: Vec<(String, String)>,
    /// Which of several networks gives the default route: the greatest
    #[arg(long, value_name = "NUMBER")]
    gw_priority: Option<i64>,
    /// Address to have
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    ip: Option<String>,
    /// IPv6 address to have
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    ip6: Option<String>,
    /// Container to know under another name, NAME:ALIAS
    #[arg(long = "link", value_name = "CONTAINER")]
    links: Vec<String>,
    /// Link-local address to have
    #[arg(long = "link-local-ip", value_name = "ADDRESS", value_delimiter = ',', value_parser = address)]
    link_local: Vec<String>,
    #[arg(hide = true, value_name = "NETWORK")]
    network: String,
    #[arg(hide = true, value_name = "CONTAINER")]
    container: String,
}

/// The flags and arguments of `disconnect`.
#[derive(Debug, Args)]
pub(crate) struct Disconnect {
    /// Also when the container is gone
    #[arg(short, long)]
    force: bool,
    #[arg(hide = true, value_name = "NETWORK")]
    network: String,
    #[arg(hide = true, value_name = "CONTAINER")]
    container: String,
}

impl Execute for Connect {
    const USAGE: &'static str = "[OPTIONS] NETWORK CONTAINER";
    const ABOUT: &'static str = "Connect a container to a network";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let settings = endpoint(Attachment {
            name: String::new(),
            aliases: self.aliases,
            ipv4: self.ip,
            ipv6: self.ip6,
            link_local: self.link_local,
            mac: None,
            options: self.options.into_iter().collect(),
            priority: self.gw_priority,
        });
        let links = Some(self.links).filter(|links| !links.is_empty());
        let body = NetworkConnectRequest {
            container: Some(self.container),
            endpoint_config: Some(EndpointSettings { links, ..settings }),
        };
        client.send(Request::post(format!("{}/connect", path(&self.network))).json(&body)?).await?;
        Ok(DONE)
    }
}

impl Execute for Disconnect {
    const USAGE: &'static str = "[OPTIONS] NETWORK CONTAINER";
    const ABOUT: &'static str = "Disconnect a container from a network";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let body = NetworkDisconnectRequest { container: Some(self.container), force: Some(self.force) };
        client.send(Request::post(format!("{}/disconnect", path(&self.network))).json(&body)?).await?;
        Ok(DONE)
    }
}
