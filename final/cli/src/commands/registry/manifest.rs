//! `manifest inspect`: what a registry has under a name, without fetching it.

use clap::Args;

use crate::client::{Client, Request, segment};
use crate::commands::image::pull::Reference;
use crate::commands::system::pretty;
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output;

/// The arguments.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Accepted for docker's sake: the daemon decides
    #[arg(long)]
    insecure: bool,
    /// Accepted for docker's sake: everything is printed
    #[arg(short, long)]
    verbose: bool,
    #[arg(hide = true, value_name = "MANIFEST")]
    name: String,
}

impl Execute for Inspect {
    const USAGE: &'static str = "MANIFEST";
    const ABOUT: &'static str = "Show the manifest or index that a registry has under a name";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let reference = Reference::parse(&self.name)?;
        let request = Request::get(format!("/distribution/{}/manifest", segment(&self.name)));
        let request = request.header("X-Registry-Auth", client.logins.header(reference.domain())?);
        let bytes = client.bytes(request).await?;
        output::print(pretty(&String::from_utf8_lossy(&bytes)))?;
        Ok(DONE)
    }
}
