//! `load`: images from a tar archive that `save` made, ours or docker's.

use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use clap::Args;

use crate::client::{Client, Lines, Request, Upload};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{During as _, Error, Opening as _, Result};
use crate::output::progress::{self, To};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The archive, instead of standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Only this platform of the images
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<String>,
    /// Say nothing on the way
    #[arg(short, long)]
    quiet: bool,
}

impl Execute for Load {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Read images from a tar archive";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let file = match &self.input {
            Some(path) => File::open(path).opening(path.display())?,
            None if io::stdin().is_terminal() => {
                return Err(Error::new("there is no archive to read: standard input is a terminal")
                    .hint("Name the archive with -i, or send it in: skiff load < image.tar"));
            }
            None => standard_input()?,
        };
        client.negotiate().await?;
        let quiet = self.quiet || !io::stdout().is_terminal();
        let mut request = Request::post("/images/load").query("quiet", if quiet { "1" } else { "0" });
        for platform in &self.platform {
            request = request.query("platform", platform_json(platform));
        }
        let body = client.stream(request.upload(Upload { file })).await?;
        progress::show(Lines::new(body), To::Output).await?;
        Ok(DONE)
    }
}

/// Standard input as a file of its own.
pub(super) fn standard_input() -> Result<File> {
    let fd = io::stdin().as_fd().try_clone_to_owned().during("read", "standard input")?;
    Ok(fd.into())
}

/// `linux/arm64/v8` as the API has it.
pub(super) fn platform_json(text: &str) -> String {
    let mut parts = text.split('/');
    let mut part = || parts.next().unwrap_or_default().to_owned();
    let (os, architecture, variant) = (part(), part(), part());
    let mut map = serde_json::Map::new();
    map.insert("os".to_owned(), os.into());
    map.insert("architecture".to_owned(), architecture.into());
    if !variant.is_empty() {
        map.insert("variant".to_owned(), variant.into());
    }
    serde_json::Value::Object(map).to_string()
}
