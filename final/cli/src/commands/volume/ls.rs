//! `volume ls`: the list of volumes.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::listing::{Field, Listing, Row};
use crate::output::{self, labels, units};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Only those that fit, such as dangling=true
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = labels::filter)]
    filters: Vec<(String, String)>,
    /// How to print them: table, table TEMPLATE, json, or a template
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Names only
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(default)]
    volumes: Option<Vec<Volume>>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

/// A volume, as `GET /volumes` has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Volume {
    name: String,
    driver: String,
    mountpoint: String,
    scope: String,
    labels: Option<BTreeMap<String, String>>,
    pub(crate) usage_data: Option<Usage>,
}

/// Who uses it and how much it holds; -1 is not known.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Usage {
    pub(crate) ref_count: i64,
    pub(crate) size: i64,
}

/// The fields of templates, with their headings.
pub(crate) const FIELDS: &[Field] = &[
    ("Name", "VOLUME NAME"),
    ("Driver", "DRIVER"),
    ("Mountpoint", "MOUNTPOINT"),
    ("Scope", "SCOPE"),
    ("Labels", "LABELS"),
    ("Links", "LINKS"),
    ("Size", "SIZE"),
    ("Availability", "AVAILABILITY"),
    ("Group", "GROUP"),
    ("Status", "STATUS"),
];

const LISTING: Listing =
    Listing { fields: FIELDS, id: "Name", raw: &[("name", "Name"), ("driver", "Driver")], setting: "volumesFormat" };

impl Execute for Ls {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "List volumes";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let request = Request::get("/volumes").maybe("filters", labels::filters(&self.filters));
        let found: Found = client.json(request).await?;
        for warning in found.warnings.iter().flatten() {
            output::notice(format!("WARNING: {warning}"));
        }
        let mut volumes = found.volumes.unwrap_or_default();
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
        let rows: Vec<Row> = volumes.iter().map(Volume::row).collect();
        output::print(LISTING.render(client, self.format.as_deref(), self.quiet, &["Driver", "Name"], &rows)?)?;
        Ok(DONE)
    }
}

impl Volume {
    /// Its fields as texts.
    pub(crate) fn row(&self) -> Row {
        let labels = self.labels.clone().unwrap_or_default();
        let known = |number: i64, text: String| if number < 0 { "N/A".to_owned() } else { text };
        let usage = self.usage_data.as_ref();
        Row::new([
            ("Name", self.name.clone()),
            ("Driver", self.driver.clone()),
            ("Mountpoint", self.mountpoint.clone()),
            ("Scope", self.scope.clone()),
            ("Labels", labels::joined(&labels)),
            (
                "Links",
                usage.map_or_else(|| "N/A".to_owned(), |usage| known(usage.ref_count, usage.ref_count.to_string())),
            ),
            // What a cluster would say of its volumes.
            ("Availability", "N/A".to_owned()),
            ("Group", "N/A".to_owned()),
            ("Status", "N/A".to_owned()),
            ("Size", usage.map_or_else(|| "N/A".to_owned(), |usage| known(usage.size, units::size_exact(usage.size)))),
        ])
        .labels(&labels)
    }
}
