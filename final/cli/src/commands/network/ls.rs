//! `network ls`: the list of networks.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::listing::{Field, Listing, Row};
use crate::output::table::short_id;
use crate::output::{self, labels, time};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only those that fit, such as driver=bridge
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = labels::filter)]
    filters: Vec<(String, String)>,
    /// How to print them: table, table TEMPLATE, json, or a template
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
}

/// A network, as `GET /networks` has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Network {
    id: String,
    name: String,
    driver: String,
    scope: String,
    created: String,
    internal: bool,
    #[serde(rename = "EnableIPv4")]
    ipv4: bool,
    #[serde(rename = "EnableIPv6")]
    ipv6: bool,
    labels: Option<BTreeMap<String, String>>,
}

const FIELDS: &[Field] = &[
    ("ID", "NETWORK ID"),
    ("Name", "NAME"),
    ("Driver", "DRIVER"),
    ("Scope", "SCOPE"),
    ("IPv4", "IPV4"),
    ("IPv6", "IPV6"),
    ("Internal", "INTERNAL"),
    ("Labels", "LABELS"),
    ("CreatedAt", "CREATED AT"),
];

const LISTING: Listing = Listing {
    fields: FIELDS,
    id: "ID",
    raw: &[("network_id", "ID"), ("name", "Name"), ("driver", "Driver"), ("scope", "Scope")],
    setting: "networksFormat",
};

impl Execute for Ls {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "List networks";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let request = Request::get("/networks").maybe("filters", labels::filters(&self.filters));
        let mut found: Vec<Network> = client.json(request).await?;
        found.sort_by(|a, b| a.name.cmp(&b.name));
        let rows: Vec<Row> = found.iter().map(|network| network.row(!self.no_trunc)).collect();
        let table = ["ID", "Name", "Driver", "Scope"];
        output::print(LISTING.render(client, self.format.as_deref(), self.quiet, &table, &rows)?)?;
        Ok(DONE)
    }
}

impl Network {
    fn row(&self, cut: bool) -> Row {
        let labels = self.labels.clone().unwrap_or_default();
        Row::new([
            ("ID", if cut { short_id(&self.id) } else { self.id.clone() }),
            ("Name", self.name.clone()),
            ("Driver", self.driver.clone()),
            ("Scope", self.scope.clone()),
            ("IPv4", self.ipv4.to_string()),
            ("IPv6", self.ipv6.to_string()),
            ("Internal", self.internal.to_string()),
            ("Labels", labels::joined(&labels)),
            ("CreatedAt", time::parse(&self.created).map(time::full).unwrap_or_default()),
        ])
        .labels(&labels)
    }
}
