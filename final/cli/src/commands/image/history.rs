//! `history`: how an image was made, the latest step first.

use clap::Args;
use jiff::Timestamp;
use serde::Deserialize;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::grammar::boolean;
use crate::output::listing::{Field, Listing, Row};
use crate::output::table::{ellipsis, short_id};
use crate::output::{self, time, units};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// How to print it: table, table TEMPLATE, json, or a template
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Sizes and ages for people (the default; --human=false gives bytes and dates)
    #[arg(short = 'H', long, value_name = "BOOLEAN", default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true, hide_default_value = true, value_parser = boolean)]
    human: bool,
    /// Cut nothing off
    #[arg(long)]
    no_trunc: bool,
    /// Platform of the image
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// Ids only
    #[arg(short, long)]
    quiet: bool,
    #[arg(hide = true, value_name = "IMAGE")]
    image: String,
}

/// One step.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Step {
    id: String,
    created: i64,
    created_by: String,
    size: i64,
    comment: String,
}

const FIELDS: &[Field] = &[
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Comment", "COMMENT"),
];

const LISTING: Listing = Listing { fields: FIELDS, id: "ID", raw: &[], setting: "" };

impl Execute for History {
    const USAGE: &'static str = "[OPTIONS] IMAGE";
    const ABOUT: &'static str = "Show how an image was made";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let platform = self.platform.as_deref().map(super::load::platform_json);
        let steps: Vec<Step> =
            client.json(Request::get(format!("{}/history", path(&self.image))).maybe("platform", platform)).await?;
        let rows: Vec<Row> = steps.iter().map(|step| step.row(!self.no_trunc, self.human, Timestamp::now())).collect();
        let created = if self.human { "CreatedSince" } else { "CreatedAt" };
        let table = ["ID", created, "CreatedBy", "Size", "Comment"];
        output::print(LISTING.render(client, self.format.as_deref(), self.quiet, &table, &rows)?)?;
        Ok(DONE)
    }
}

impl Step {
    fn row(&self, cut: bool, human: bool, now: Timestamp) -> Row {
        let created = time::from_seconds(self.created);
        let by = self.created_by.replace('\t', " ");
        Row::new([
            ("ID", if cut { short_id(&self.id) } else { self.id.clone() }),
            ("CreatedSince", created.map(|then| time::age(then, now) + " ago").unwrap_or_default()),
            ("CreatedAt", created.map(|then| then.to_string()).unwrap_or_default()),
            ("CreatedBy", if cut { ellipsis(&by, 45) } else { by }),
            ("Size", if human { units::size(self.size) } else { self.size.to_string() }),
            ("Comment", self.comment.clone()),
        ])
    }
}
