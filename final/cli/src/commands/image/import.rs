//! `import`: an image of one layer from a tar archive of files.

use std::fs::File;

use clap::Args;

use super::load::standard_input;
use super::pull::Reference;
use crate::client::{Client, Lines, Request, Upload};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Opening as _, Result};
use crate::output::progress::{self, To};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Instruction of a Dockerfile to apply, such as CMD sh
    #[arg(short, long = "change", value_name = "INSTRUCTION")]
    changes: Vec<String>,
    /// Comment of the image
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Platform to say that it is for
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    #[arg(hide = true, value_name = "SOURCE")]
    source: String,
    #[arg(hide = true, value_name = "REPOSITORY")]
    name: Option<String>,
}

impl Execute for Import {
    const USAGE: &'static str = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]";
    const ABOUT: &'static str = "Make an image from a tar archive of files";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let url = self.source.starts_with("http://") || self.source.starts_with("https://");
        let file = match self.source.as_str() {
            _ if url => None,
            "-" => Some(standard_input()?),
            path => Some(File::open(path).opening(path)?),
        };
        if let Some(name) = &self.name {
            Reference::parse(name)?;
        }
        client.negotiate().await?;
        let mut request = Request::post("/images/create").query("fromSrc", if url { &self.source } else { "-" });
        request = request.maybe("repo", self.name).maybe("message", self.message).maybe("platform", self.platform);
        for change in &self.changes {
            request = request.query("changes", change);
        }
        if let Some(file) = file {
            request = request.upload(Upload { file });
        }
        progress::show(Lines::new(client.stream(request).await?), To::Output).await?;
        Ok(DONE)
    }
}
