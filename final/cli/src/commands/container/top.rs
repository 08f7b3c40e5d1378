//! `top`: the processes of a container, as the host's `ps` sees them.

use clap::Args;
use serde::Deserialize;

use super::path;
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::{self, table};

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Top {
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, hide = true, value_name = "CONTAINER")]
    words: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Processes {
    titles: Vec<String>,
    #[serde(default)]
    processes: Option<Vec<Vec<String>>>,
}

impl Execute for Top {
    const USAGE: &'static str = "CONTAINER [ps OPTIONS...]";
    const ABOUT: &'static str = "List the processes of a container";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let (container, options) =
            self.words.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let options = Some(options.join(" ")).filter(|options| !options.is_empty());
        let request = Request::get(format!("{}/top", path(container))).maybe("ps_args", options);
        let found: Processes = client.json(request).await?;
        let mut rows = vec![found.titles];
        rows.extend(found.processes.unwrap_or_default());
        output::print(table::layout_wide(&rows, 20))?;
        Ok(DONE)
    }
}
