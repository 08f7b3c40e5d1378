//! `images`: the list of images.

use std::collections::BTreeMap;

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::listing::{Field, Listing, Row};
use crate::output::table::short_id;
use crate::output::{self, labels, time, units};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// Also those that others are made of
    #[arg(short, long)]
    all: bool,
    /// Show the digests
    #[arg(long)]
    digests: bool,
    /// Only those that fit, such as dangling=true or label=a
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
    #[arg(hide = true, value_name = "REPOSITORY")]
    repository: Option<String>,
}

/// An image, as `GET /images/json` has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Summary {
    id: String,
    repo_tags: Option<Vec<String>>,
    repo_digests: Option<Vec<String>>,
    created: i64,
    pub(crate) size: i64,
    pub(crate) shared_size: i64,
    pub(crate) containers: i64,
    labels: Option<BTreeMap<String, String>>,
}

/// The fields of templates, with their headings.
pub(crate) const FIELDS: &[Field] = &[
    ("Repository", "REPOSITORY"),
    ("Tag", "TAG"),
    ("Digest", "DIGEST"),
    ("ID", "IMAGE ID"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("Size", "SIZE"),
    ("SharedSize", "SHARED SIZE"),
    ("UniqueSize", "UNIQUE SIZE"),
    ("VirtualSize", "SIZE"),
    ("Containers", "CONTAINERS"),
];

const LISTING: Listing = Listing {
    fields: FIELDS,
    id: "ID",
    raw: &[
        ("repository", "Repository"),
        ("tag", "Tag"),
        ("image_id", "ID"),
        ("created_at", "CreatedAt"),
        ("virtual_size", "Size"),
    ],
    setting: "imagesFormat",
};

impl Execute for Ls {
    const USAGE: &'static str = "[OPTIONS] [REPOSITORY[:TAG]]";
    const ABOUT: &'static str = "List images";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let mut filters = self.filters;
        filters.extend(self.repository.map(|name| ("reference".to_owned(), name)));
        let request = Request::get("/images/json").flag("all", self.all).maybe("filters", labels::filters(&filters));
        let found: Vec<Summary> = client.json(request).await?;
        let digests = self.digests || self.format.as_deref().is_some_and(|format| format.contains(".Digest"));
        let now = Timestamp::now();
        let rows: Vec<Row> = found.iter().flat_map(|image| image.rows(!self.no_trunc, digests, now)).collect();
        let table: &[&str] = if self.digests {
            &["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size"]
        } else {
            &["Repository", "Tag", "ID", "CreatedSince", "Size"]
        };
        output::print(LISTING.render(client, self.format.as_deref(), self.quiet, table, &rows)?)?;
        Ok(DONE)
    }
}

impl Summary {
    /// One row per name, with its digest where there is one; one row without a name when there is none.
    pub(crate) fn rows(&self, cut: bool, digests: bool, now: Timestamp) -> Vec<Row> {
        let unnamed = |name: &&String| !name.contains("<none>");
        let tags = self.repo_tags.iter().flatten().filter(unnamed).filter_map(|name| name.rsplit_once(':'));
        let known: Vec<(&str, &str)> =
            self.repo_digests.iter().flatten().filter(unnamed).filter_map(|name| name.split_once('@')).collect();
        let digest = |repository: &str| {
            let found = known.iter().find(|(name, _)| *name == repository);
            found.map_or("<none>", |(_, digest)| digest)
        };
        let mut names: Vec<(&str, &str, &str)> =
            tags.map(|(repository, tag)| (repository, tag, digest(repository))).collect();
        if names.is_empty() && digests {
            names.extend(known.iter().map(|(repository, digest)| (*repository, "<none>", *digest)));
        }
        if names.is_empty() {
            // An image that lost its tag is still known by the repository of its digest.
            let repository = known.first().map_or("<none>", |(repository, _)| repository);
            names.push((repository, "<none>", "<none>"));
        }
        names.into_iter().map(|(repository, tag, digest)| self.row([repository, tag, digest], cut, now)).collect()
    }

    fn row(&self, [repository, tag, digest]: [&str; 3], cut: bool, now: Timestamp) -> Row {
        let created = time::from_seconds(self.created);
        let counted = |number: i64, text: String| if number < 0 { "N/A".to_owned() } else { text };
        Row::new([
            ("Repository", repository.to_owned()),
            ("Tag", tag.to_owned()),
            ("Digest", digest.to_owned()),
            ("ID", if cut { short_id(&self.id) } else { self.id.clone() }),
            ("CreatedSince", created.map(|then| time::age(then, now) + " ago").unwrap_or_default()),
            ("CreatedAt", created.map(time::full).unwrap_or_default()),
            ("Size", units::size(self.size)),
            ("SharedSize", counted(self.shared_size, units::size_exact(self.shared_size))),
            ("UniqueSize", counted(self.shared_size, units::size_exact(self.size - self.shared_size.max(0)))),
            ("VirtualSize", units::size_exact(self.size)),
            ("Containers", counted(self.containers, self.containers.to_string())),
        ])
        .labels(self.labels.iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_row_per_name() {
        let json = r#"[{"Id":"sha256:7ecddd798ed536b31e8a7f68985febe9","RepoTags":["busybox:latest","localhost:5000/bb:1"],
            "RepoDigests":["localhost:5000/bb@sha256:ff"],"Created":1795513000,"Size":1984172,"SharedSize":-1,"Containers":-1},
            {"Id":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","RepoTags":["<none>:<none>"],"RepoDigests":["<none>@<none>"],"Created":1790000000,"Size":0,"SharedSize":-1,"Containers":-1}]"#;
        let found: Vec<Summary> = serde_json::from_str(json).unwrap();
        let now = time::from_seconds(1_795_515_700).unwrap();
        let rows: Vec<Row> = found.iter().flat_map(|image| image.rows(true, true, now)).collect();
        let table = ["Repository", "Tag", "Digest", "ID", "CreatedSince", "Size", "UniqueSize"];
        insta::assert_snapshot!(crate::output::listing::render(None, FIELDS, &table, &rows).unwrap(), @r"
        REPOSITORY          TAG       DIGEST      IMAGE ID       CREATED          SIZE      UNIQUE SIZE
        busybox             latest    <none>      7ecddd798ed5   45 minutes ago   1.98MB    N/A
        localhost:5000/bb   1         sha256:ff   7ecddd798ed5   45 minutes ago   1.98MB    N/A
        <none>              <none>    <none>      aaaaaaaaaaaa   2 months ago     0B        N/A
        ");
    }
}
