//! `system df`: what takes up space on the disk.

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit, container, image, volume};
use crate::error::Result;
use crate::output::listing::{self, Field, Listing, Row};
use crate::output::{self, units};
use crate::template::{Data, Template, Value};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Df {
    /// How to print it: table, table TEMPLATE, json, or a template
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// One row per thing
    #[arg(short, long)]
    verbose: bool,
}

/// The daemon's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Usage {
    layers_size: i64,
    images: Option<Vec<image::ls::Summary>>,
    containers: Option<Vec<container::ls::Summary>>,
    volumes: Option<Vec<volume::ls::Volume>>,
    build_cache: Option<Vec<Cache>>,
}

/// One entry of the build cache.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Cache {
    size: i64,
    in_use: bool,
    shared: bool,
}

/// One kind of thing, summed up.
struct Sum {
    kind: &'static str,
    total: usize,
    active: usize,
    size: i64,
    reclaimable: i64,
}

const FIELDS: &[Field] = &[
    ("Type", "TYPE"),
    ("TotalCount", "TOTAL"),
    ("Active", "ACTIVE"),
    ("Size", "SIZE"),
    ("Reclaimable", "RECLAIMABLE"),
];

const LISTING: Listing = Listing {
    fields: FIELDS,
    id: "Type",
    raw: &[
        ("type", "Type"),
        ("total", "TotalCount"),
        ("active", "Active"),
        ("size", "Size"),
        ("reclaimable", "Reclaimable"),
    ],
    setting: "",
};

/// The columns of the build cache. Nothing builds yet, so it has no rows.
const CACHE: [Field; 7] = [
    ("ID", "CACHE ID"),
    ("Type", "CACHE TYPE"),
    ("Size", "SIZE"),
    ("CreatedSince", "CREATED"),
    ("LastUsedSince", "LAST USED"),
    ("UsageCount", "USAGE"),
    ("Shared", "SHARED"),
];

impl Execute for Df {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Show what takes up space on the disk";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let mut usage: Usage = client.json(Request::get("/system/df")).await?;
        // What the image takes up is counted with the images.
        for container in usage.containers.iter_mut().flatten() {
            container.size_root_fs = None;
        }
        if let Some(format) = self.format.as_deref().filter(|format| self.verbose && !matches!(*format, "" | "table")) {
            // One document, and no end of line but the template's own.
            let format = if format == "json" { "{{json .}}" } else { format };
            output::print(Template::parse(format)?.render(&Data::complete(usage.document()))?)?;
            return Ok(DONE);
        }
        if self.verbose {
            output::print(usage.details()?)?;
            return Ok(DONE);
        }
        let rows: Vec<Row> = usage.sums().iter().map(Sum::row).collect();
        let table = ["Type", "TotalCount", "Active", "Size", "Reclaimable"];
        output::print(LISTING.render(client, self.format.as_deref(), false, &table, &rows)?)?;
        Ok(DONE)
    }
}

impl Usage {
    /// A thing that nothing uses could be removed; its space is what `prune` would give back.
    fn sums(&self) -> Vec<Sum> {
        let (images, containers) =
            (self.images.as_deref().unwrap_or_default(), self.containers.as_deref().unwrap_or_default());
        let (volumes, caches) =
            (self.volumes.as_deref().unwrap_or_default(), self.build_cache.as_deref().unwrap_or_default());
        let used = images.iter().filter(|image| image.containers > 0);
        let used_size: i64 = used.clone().map(|image| image.size - image.shared_size.max(0)).sum();
        let running =
            containers.iter().filter(|container| matches!(&*container.state, "running" | "paused" | "restarting"));
        let space = |container: &container::ls::Summary| container.size_rw.unwrap_or(0);
        let all_space: i64 = containers.iter().map(space).sum();
        let held = |volume: &&volume::ls::Volume| volume.usage_data.as_ref().is_some_and(|usage| usage.ref_count > 0);
        let volume_size = |volume: &volume::ls::Volume| volume.usage_data.as_ref().map_or(0, |usage| usage.size.max(0));
        let all_volumes: i64 = volumes.iter().map(volume_size).sum();
        let cache_size: i64 = caches.iter().filter(|cache| !cache.shared).map(|cache| cache.size).sum();
        let cache_free: i64 =
            caches.iter().filter(|cache| !cache.shared && !cache.in_use).map(|cache| cache.size).sum();
        vec![
            Sum {
                kind: "Images",
                total: images.len(),
                active: used.count(),
                size: self.layers_size,
                reclaimable: self.layers_size - used_size,
            },
            Sum {
                kind: "Containers",
                total: containers.len(),
                active: running.clone().count(),
                size: all_space,
                reclaimable: all_space - running.map(space).sum::<i64>(),
            },
            Sum {
                kind: "Local Volumes",
                total: volumes.len(),
                active: volumes.iter().filter(held).count(),
                size: all_volumes,
                reclaimable: all_volumes - volumes.iter().filter(held).map(volume_size).sum::<i64>(),
            },
            Sum {
                kind: "Build Cache",
                total: caches.len(),
                active: caches.iter().filter(|cache| cache.in_use).count(),
                size: cache_size,
                reclaimable: cache_free,
            },
        ]
    }

    /// What a template of `-v` is filled with.
    fn document(&self) -> Value {
        let now = Timestamp::now();
        let images = self.images.iter().flatten().flat_map(|image| image.rows(false, false, now));
        let images = images.map(|row| row.with("Digest", "".into()));
        let containers = self.containers.iter().flatten().map(|container| container.row(false, now));
        let volumes = self.volumes.iter().flatten().map(volume::ls::Volume::row);
        let list = |rows: &mut dyn Iterator<Item = Row>| Value::List(rows.map(|row| row.value().clone()).collect());
        let kinds: [(&str, &mut dyn Iterator<Item = Row>); 4] = [
            ("Images", &mut images.into_iter()),
            ("Containers", &mut containers.into_iter()),
            ("Volumes", &mut volumes.into_iter()),
            ("BuildCache", &mut std::iter::empty()),
        ];
        Value::Map(kinds.into_iter().map(|(kind, rows)| (kind.to_owned(), list(rows))).collect())
    }

    /// The tables of `-v`.
    fn details(&self) -> Result<String> {
        let now = Timestamp::now();
        let images: Vec<Row> = self.images.iter().flatten().flat_map(|image| image.rows(true, false, now)).collect();
        let images = listing::render(
            None,
            image::ls::FIELDS,
            &["Repository", "Tag", "ID", "CreatedSince", "Size", "SharedSize", "UniqueSize", "Containers"],
            &images,
        )?;
        let containers: Vec<Row> = self.containers.iter().flatten().map(|container| container.row(true, now)).collect();
        let containers = listing::render(
            None,
            container::ls::FIELDS,
            &["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"],
            &containers,
        )?;
        let volumes: Vec<Row> = self.volumes.iter().flatten().map(volume::ls::Volume::row).collect();
        let volumes = listing::render(None, volume::ls::FIELDS, &["Name", "Links", "Size"], &volumes)?;
        let cache: i64 = self.build_cache.iter().flatten().map(|cache| cache.size).sum();
        let columns = CACHE.map(|(name, _)| name);
        let caches = listing::render(None, &CACHE, &columns, &[])?;
        Ok(format!(
            "Images space usage:\n\n{images}\nContainers space usage:\n\n{containers}\nLocal Volumes space usage:\n\n{volumes}\n\
             Build cache usage: {}\n\n{caches}",
            units::size_exact(cache)
        ))
    }
}

impl Sum {
    /// Images always have a share in percent; the others only when there is something.
    fn row(&self) -> Row {
        let share = (self.size > 0).then(|| format!(" ({}%)", self.reclaimable * 100 / self.size));
        Row::new([
            ("Type", self.kind.to_owned()),
            ("TotalCount", self.total.to_string()),
            ("Active", self.active.to_string()),
            ("Size", units::size_exact(self.size)),
            ("Reclaimable", format!("{}{}", units::size_exact(self.reclaimable), share.unwrap_or_default())),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_uses_is_reclaimable() {
        let json = r#"{"LayersSize":3000000,"Images":[{"Containers":2,"Size":1984172,"SharedSize":0},{"Containers":0,"Size":1015828,"SharedSize":0}],
            "Containers":[{"State":"exited","SizeRw":100},{"State":"running","SizeRw":300}],
            "Volumes":[{"Name":"a","UsageData":{"RefCount":1,"Size":10}},{"Name":"b","UsageData":{"RefCount":0,"Size":30}}],"BuildCache":null}"#;
        let usage: Usage = serde_json::from_str(json).unwrap();
        let rows: Vec<Row> = usage.sums().iter().map(Sum::row).collect();
        let table = ["Type", "TotalCount", "Active", "Size", "Reclaimable"];
        insta::assert_snapshot!(listing::render(None, FIELDS, &table, &rows).unwrap(), @r"
        TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE
        Images          2         1         3MB       1.016MB (33%)
        Containers      2         1         400B      100B (25%)
        Local Volumes   2         1         40B       30B (75%)
        Build Cache     0         0         0B        0B
        ");
    }
}
