//! `system prune`: remove everything that is not used.

use clap::Args;

use crate::client::Client;
use crate::commands::prune::{BUILD_CACHE, CONTAINERS, IMAGES, NETWORKS, Unused, VOLUMES};
use crate::commands::{DONE, Execute, Exit, image};
use crate::error::{Error, Result};
use crate::output::{self, labels, units};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// All images that no container uses, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Only things that fit, such as until=24h
    #[arg(long = "filter", value_name = "FILTER", value_parser = labels::filter)]
    filters: Vec<(String, String)>,
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Volumes without a name, too
    #[arg(long)]
    volumes: bool,
}

impl Execute for Prune {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Remove everything that nobody uses";

    async fn execute(self, client: &Client) -> Result<Exit> {
        if self.volumes && self.filters.iter().any(|(name, _)| name == "until") {
            return Err(Error::new("ERROR: The \"until\" filter is not supported with \"--volumes\""));
        }
        if !self.force && !output::confirm(&self.warning())? {
            return Ok(DONE);
        }
        // Containers first: they hold the rest.
        let mut space = 0;
        for (unused, filters) in self.unused() {
            let (text, freed) = unused.remove(client, &filters).await?;
            output::print(text)?;
            space += freed;
        }
        output::line(format!("Total reclaimed space: {}", units::size_exact(space)))?;
        Ok(DONE)
    }
}

impl Prune {
    /// What is removed, in order, each with its filters.
    fn unused(&self) -> Vec<(&'static Unused, Vec<(String, String)>)> {
        let filters = self.filters.clone();
        let mut all = vec![(&CONTAINERS, filters.clone()), (&NETWORKS, filters.clone())];
        if self.volumes {
            all.push((&VOLUMES, filters.clone()));
        }
        all.push((&IMAGES, image::prune::filters(self.all, filters.clone())));
        all.push((&BUILD_CACHE, filters));
        all
    }

    fn warning(&self) -> String {
        let mut all = vec!["all stopped containers", "all networks not used by at least one container"];
        if self.volumes {
            all.push("all anonymous volumes not used by at least one container");
        }
        all.push(if self.all {
            "all images without at least one container associated to them"
        } else {
            "all dangling images"
        });
        all.push("unused build cache");
        format!("WARNING! This will remove:\n  - {}\n", all.join("\n  - "))
    }
}
