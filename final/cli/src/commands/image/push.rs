//! `push`: an image to its registry.

use clap::Args;

use super::path;
use super::pull::Reference;
use crate::client::{Client, Lines, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::output;
use crate::output::progress::{self, To};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Push {
    /// All tags of the repository
    #[arg(short, long)]
    all_tags: bool,
    /// Say nothing on the way
    #[arg(short, long)]
    quiet: bool,
    /// Accepted for docker's sake: there are no signatures of that kind any more
    #[arg(long, hide = true)]
    disable_content_trust: bool,
    #[arg(hide = true, value_name = "NAME")]
    image: String,
}

impl Execute for Push {
    const USAGE: &'static str = "[OPTIONS] NAME[:TAG]";
    const ABOUT: &'static str = "Send an image to its registry";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let mut reference = Reference::parse(&self.image)?;
        if reference.digest.is_some() {
            return Err(Error::new("cannot push a digest reference"));
        }
        if self.all_tags && reference.tag.is_some() {
            return Err(Error::new("tag can't be used with --all-tags/-a"));
        }
        if !self.all_tags && reference.tag.is_none() {
            if !self.quiet {
                output::line("Using default tag: latest")?;
            }
            reference = reference.or_latest();
        }
        let request = Request::post(format!("{}/push", path(&reference.name))).maybe("tag", reference.tag.as_ref());
        // Older daemons refuse a push without the header: who is nobody says so, with an empty object.
        let login = client.logins.header(reference.domain())?.unwrap_or_else(|| "e30=".to_owned());
        let request = request.header("X-Registry-Auth", Some(login));
        let to = if self.quiet { To::Nowhere } else { To::Output };
        progress::show(Lines::new(client.stream(request).await?), to).await?;
        if self.quiet {
            output::line(reference.canonical())?;
        }
        Ok(DONE)
    }
}
