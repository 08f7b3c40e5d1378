//! `system prune`: remove everything that is not used.

use clap::Args;

use crate::client::Client;
use crate::commands::{DONE, Execute, Exit, container, image, network, volume};
use crate::error::Result;
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
        if !self.force && !output::confirm(&self.warning())? {
            return Ok(DONE);
        }
        // Containers first: they hold the rest.
        let (containers, mut space) = container::prune::prune(client, &self.filters).await?;
        let networks = network::prune::prune(client, &self.filters).await?;
        output::print(containers + &networks)?;
        if self.volumes {
            let (volumes, freed) = volume::prune::prune(client, &self.filters).await?;
            output::print(volumes)?;
            space += freed;
        }
        let (images, freed) = image::prune::prune(client, self.all, &self.filters).await?;
        let images = if images.is_empty() { images } else { images + "\n" };
        output::print(format!("{images}Total reclaimed space: {}\n", units::size_exact(space + freed)))?;
        Ok(DONE)
    }
}

impl Prune {
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
        format!("WARNING! This will remove:\n  - {}\n", all.join("\n  - "))
    }
}
