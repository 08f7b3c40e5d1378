//! `ps`: the list of containers.

use std::collections::BTreeMap;

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::listing::{Field, Listing, Row};
use crate::output::ports::{self, Port};
use crate::output::table::{ellipsis, short_id};
use crate::output::{self, labels, time, units};
use crate::template::{Value, Zero};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Also those that do not run
    #[arg(short, long)]
    all: bool,
    /// Only those that fit, such as status=exited or name=web
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = labels::filter)]
    filters: Vec<(String, String)>,
    /// How to print them: table, table TEMPLATE, json, or a template
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// The last so many that were created
    #[arg(short = 'n', long, value_name = "NUMBER", default_value = "-1", hide_default_value = true)]
    last: i64,
    /// The last one that was created
    #[arg(short, long)]
    latest: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    /// Say also how much space they take up
    #[arg(short, long)]
    size: bool,
}

/// A container, as `GET /containers/json` has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Summary {
    pub(crate) id: String,
    names: Option<Vec<String>>,
    image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    command: String,
    created: i64,
    ports: Option<Vec<Port>>,
    pub(crate) size_rw: Option<i64>,
    pub(crate) size_root_fs: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    pub(crate) state: String,
    status: String,
    network_settings: Option<Networks>,
    mounts: Option<Vec<Mount>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Networks {
    networks: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Mount {
    #[serde(rename = "Type")]
    kind: String,
    name: Option<String>,
    source: String,
    driver: Option<String>,
}

/// The fields of templates, with their headings.
pub(crate) const FIELDS: &[Field] = &[
    ("ID", "CONTAINER ID"),
    ("Image", "IMAGE"),
    ("Command", "COMMAND"),
    ("CreatedAt", "CREATED AT"),
    ("RunningFor", "CREATED"),
    ("Status", "STATUS"),
    ("State", "STATE"),
    ("Ports", "PORTS"),
    ("Names", "NAMES"),
    ("Size", "SIZE"),
    ("Labels", "LABELS"),
    ("Mounts", "MOUNTS"),
    ("LocalVolumes", "LOCAL VOLUMES"),
    ("Networks", "NETWORKS"),
    ("Platform", "PLATFORM"),
];

const LISTING: Listing = Listing {
    fields: FIELDS,
    id: "ID",
    raw: &[
        ("container_id", "ID"),
        ("image", "Image"),
        ("command", "Command"),
        ("created_at", "CreatedAt"),
        ("state", "State"),
        ("status", "Status"),
        ("names", "Names"),
        ("labels", "Labels"),
        ("ports", "Ports"),
    ],
    setting: "psFormat",
};

impl Execute for Ls {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "List containers";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let mut format = self.format.as_deref().filter(|format| !format.is_empty());
        if self.quiet && format.is_some_and(|format| format != "table") {
            output::notice("WARNING: Ignoring custom format, because both --format and --quiet are set.");
            format = format.filter(|format| *format == "raw");
        }
        let last = if self.latest { 1 } else { self.last };
        let limit = (last > 0).then(|| last.to_string());
        let size = self.size || format.is_some_and(asks_for_size);
        let request = Request::get("/containers/json").flag("all", self.all).maybe("limit", limit);
        let request = request.flag("size", size).maybe("filters", labels::filters(&self.filters));
        let found: Vec<Summary> = client.json(request).await?;
        let rows: Vec<Row> = found.iter().map(|summary| summary.row(!self.no_trunc, Timestamp::now())).collect();
        let mut table = vec!["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];
        if self.size {
            table.push("Size");
        }
        output::print(LISTING.render(client, format, self.quiet, &table, &rows)?)?;
        Ok(DONE)
    }
}

/// Whether a template shows the size, which the daemon measures only when it is asked to.
fn asks_for_size(format: &str) -> bool {
    format.contains(".Size") || format.contains("json .}}") || format.contains("json . }}")
}

impl Summary {
    /// Its fields as texts; `cut` shortens ids and commands.
    pub(crate) fn row(&self, cut: bool, now: Timestamp) -> Row {
        let labels = self.labels.clone().unwrap_or_default();
        let created = time::from_seconds(self.created);
        let mounts = self.mounts.as_deref().unwrap_or_default();
        let networks = self.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let networks: Vec<&str> = networks.iter().flat_map(|networks| networks.keys()).map(String::as_str).collect();
        let local = mounts.iter().filter(|mount| mount.driver.as_deref() == Some("local")).count();
        Row::new([
            ("ID", if cut { short_id(&self.id) } else { self.id.clone() }),
            ("Image", self.image(cut)),
            ("Command", quoted(&if cut { ellipsis(&self.command, 20) } else { self.command.clone() })),
            ("CreatedAt", created.map(time::full).unwrap_or_default()),
            ("RunningFor", created.map(|then| time::age(then, now) + " ago").unwrap_or_default()),
            ("Status", self.status.clone()),
            ("State", self.state.clone()),
            ("Ports", ports::column(self.ports.as_deref().unwrap_or_default())),
            ("Names", self.names(cut)),
            ("Size", self.size()),
            ("Labels", labels::joined(&labels)),
            ("Mounts", mounts.iter().map(|mount| mount.text(cut)).collect::<Vec<_>>().join(",")),
            ("LocalVolumes", local.to_string()),
            ("Networks", networks.join(",")),
        ])
        // Only daemons that are asked for it say it.
        .with("Platform", Value::Nothing(Zero::Nil))
        .labels(&labels)
    }

    /// The reference it was made from; an image without a name by the beginning of its id.
    fn image(&self, cut: bool) -> String {
        if self.image.is_empty() {
            return "<no image>".to_owned();
        }
        let by_id = short_id(&self.image_id) == short_id(&self.image) || self.image.starts_with("sha256:");
        match (cut, self.image.split_once('@')) {
            (true, _) if by_id => short_id(&self.image),
            (true, Some((name, _))) => name.to_owned(),
            _ => self.image.clone(),
        }
    }

    /// Its own name, and without cutting also those it has through links.
    fn names(&self, cut: bool) -> String {
        let names = self.names.iter().flatten().map(|name| name.trim_start_matches('/'));
        let names: Vec<&str> = names.filter(|name| !cut || !name.contains('/')).collect();
        names.join(",")
    }

    fn size(&self) -> String {
        let own = units::size(self.size_rw.unwrap_or(0));
        match self.size_root_fs {
            Some(all) if all > 0 => format!("{own} (virtual {})", units::size(all)),
            _ => own,
        }
    }
}

/// In double quotes, with those inside escaped.
fn quoted(text: &str) -> String {
    Value::from(text).to_json()
}

impl Mount {
    fn text(&self, cut: bool) -> String {
        let name = self.name.as_deref().filter(|name| !name.is_empty() && self.kind != "bind").unwrap_or(&self.source);
        if cut { ellipsis(name, 15) } else { name.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"[
        {"Id":"6d81fb6942a15e008369043444dc3fc74998487202775b44f19f362fb5eb524c","Names":["/w2"],"Image":"busybox",
         "ImageID":"sha256:7ecddd798ed5","Command":"sh -c 'exit 3; echo a longer command'","Created":1795513594,"Ports":[],
         "Labels":{},"State":"exited","Status":"Exited (3) 2 seconds ago","HostConfig":{"NetworkMode":"default"},
         "NetworkSettings":{"Networks":{"bridge":{}}},"Mounts":[],"SizeRw":1536,"SizeRootFs":1985708},
        {"Id":"00c51db793b3d0aa1202c0dfacd5557e4ae9d6fbf265c9a7c034504d76efe250","Names":["/w1","/other/alias"],
         "Image":"sha256:7ecddd798ed5","ImageID":"sha256:7ecddd798ed5","Command":"sleep 1000","Created":1795513500,
         "Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":8081,"Type":"tcp"}],"Labels":{"b":"2","a":"1"},
         "State":"running","Status":"Up 2 minutes","NetworkSettings":{"Networks":{"bridge":{}}},
         "Mounts":[{"Type":"volume","Name":"a-volume-with-a-long-name","Source":"/v","Driver":"local"},{"Type":"bind","Source":"/tmp"}]}]"#;

    fn show(format: Option<&str>, cut: bool) -> String {
        let found: Vec<Summary> = serde_json::from_str(LIST).unwrap();
        let now = time::from_seconds(1_795_513_620).unwrap();
        let rows: Vec<Row> = found.iter().map(|summary| summary.row(cut, now)).collect();
        let table = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];
        crate::output::listing::render(format, FIELDS, &table, &rows).unwrap()
    }

    #[test]
    fn the_table() {
        insta::assert_snapshot!(show(None, true), @r#"
        CONTAINER ID   IMAGE          COMMAND                  CREATED          STATUS                     PORTS                  NAMES
        6d81fb6942a1   busybox        "sh -c 'exit 3; echo…"   26 seconds ago   Exited (3) 2 seconds ago                          w2
        00c51db793b3   7ecddd798ed5   "sleep 1000"             2 minutes ago    Up 2 minutes               0.0.0.0:8081->80/tcp   w1
        "#);
    }

    #[test]
    fn templates() {
        insta::assert_snapshot!(show(Some(r#"{{.Names}}|{{.Label "a"}}|{{.Labels}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Size}}|{{.Networks}}"#), true), @r"
        w2||||0|1.54kB (virtual 1.99MB)|bridge
        w1|1|a=1,b=2|a-volume-with-…,/tmp|1|0B|bridge
        ");
        assert!(show(Some("{{.Names}}"), false).contains("w1,other/alias"));
    }
}
