//! `context ls`: the daemons that have a name.

use clap::Args;

use super::warn;
use crate::client::Client;
use crate::commands::{DONE, Execute, Exit};
use crate::context::DEFAULT;
use crate::error::Result;
use crate::output;
use crate::output::listing::{self, Field, Row};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    /// How to print them: table, table TEMPLATE, json, or a template
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Names only
    #[arg(short, long)]
    quiet: bool,
}

const FIELDS: &[Field] = &[
    ("Name", "NAME"),
    ("Description", "DESCRIPTION"),
    ("DockerEndpoint", "DOCKER ENDPOINT"),
    ("Error", "ERROR"),
    ("Current", "CURRENT"),
];

impl Execute for Ls {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "List contexts";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let contexts = &client.contexts;
        let about = "Current DOCKER_HOST based configuration".to_owned();
        let default = (DEFAULT.to_owned(), about, client.endpoint().to_string());
        let others = contexts.store.all();
        let mut all = vec![default];
        all.extend(others.into_iter().map(|context| {
            let host = context.host().to_owned();
            (context.name, context.metadata.description, host)
        }));
        all.sort();
        // Only in the table does the current one have a star.
        let table = !self.quiet && self.format.as_deref().is_none_or(|format| format.trim_start().starts_with("table"));
        let rows: Vec<Row> = all
            .into_iter()
            .map(|(name, description, host)| {
                let current = name == contexts.chosen;
                let shown = if current && table { format!("{name} *") } else { name };
                let text = ("Description", description);
                let row = Row::new([("Name", shown), text, ("DockerEndpoint", host), ("Error", String::new())]);
                row.with("Current", current.into())
            })
            .collect();
        let format = if self.quiet { Some("{{.Name}}") } else { self.format.as_deref() };
        let columns = ["Name", "Description", "DockerEndpoint", "Error"];
        output::print(listing::render(format, FIELDS, &columns, &rows)?)?;
        warn(client, "a context");
        Ok(DONE)
    }
}
