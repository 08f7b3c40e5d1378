//! `search`: only with a Docker daemon. Ours refuses it and says what to do instead.

use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output;
use crate::output::labels;
use crate::output::listing::{self, Field, Row};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Only such, as is-official=true or stars=NUMBER
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = labels::filter)]
    filters: Vec<(String, String)>,
    /// Print whole descriptions
    #[arg(long)]
    no_trunc: bool,
    /// How many at most
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u32>,
    /// How to print them: table, table TEMPLATE, json, or a template
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    #[arg(hide = true, value_name = "TERM")]
    term: String,
}

/// One find.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    name: String,
    description: String,
    star_count: i64,
    is_official: bool,
}

const FIELDS: &[Field] =
    &[("Name", "NAME"), ("Description", "DESCRIPTION"), ("StarCount", "STARS"), ("IsOfficial", "OFFICIAL")];

impl Execute for Search {
    const USAGE: &'static str = "[OPTIONS] TERM";
    const ABOUT: &'static str = "Search Docker Hub for images (with a Docker daemon only)";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let request = Request::get("/images/search").query("term", &self.term);
        let request = request.maybe("filters", labels::filters(&self.filters));
        let found: Vec<Found> = client.json(request.maybe("limit", self.limit.map(|limit| limit.to_string()))).await?;
        let description = |text: &str| if self.no_trunc { text.to_owned() } else { shorten(text) };
        let row = |found: &Found| {
            Row::new([
                ("Name", found.name.clone()),
                ("Description", description(&found.description)),
                ("StarCount", found.star_count.to_string()),
                ("IsOfficial", if found.is_official { "[OK]".to_owned() } else { String::new() }),
            ])
        };
        let rows: Vec<Row> = found.iter().map(row).collect();
        let table = ["Name", "Description", "StarCount", "IsOfficial"];
        output::print(listing::render(self.format.as_deref(), FIELDS, &table, &rows)?)?;
        Ok(DONE)
    }
}

/// The first 44 characters and a sign that there are more, as docker has it.
fn shorten(text: &str) -> String {
    if text.chars().count() <= 45 {
        return text.to_owned();
    }
    text.chars().take(44).chain(['…']).collect()
}
