//! `save`: images as a tar archive.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::load::platform_json;
use crate::client::{Client, Request, broken};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{During as _, Error, Result};
use crate::output::output_error;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Save {
    /// The archive, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only this platform of the images
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<String>,
    #[arg(required = true, hide = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Execute for Save {
    const USAGE: &'static str = "[OPTIONS] IMAGE [IMAGE...]";
    const ABOUT: &'static str = "Write images to a tar archive";

    async fn execute(self, client: &Client) -> Result<Exit> {
        if self.output.is_none() && io::stdout().is_terminal() {
            return Err(Error::new("an archive is not for a terminal")
                .hint("Use the -o flag, or redirect the output: skiff save IMAGE > image.tar"));
        }
        let mut request = Request::get("/images/get");
        for image in &self.images {
            request = request.query("names", image);
        }
        for platform in &self.platform {
            request = request.query("platform", platform_json(platform));
        }
        let body = client.stream(request).await?;
        Target::open(self.output.as_deref())?.take(body).await?;
        Ok(DONE)
    }
}

/// Where the archive goes. A file has its name only when it is whole.
pub(crate) enum Target {
    Output,
    File { file: File, part: PathBuf, path: PathBuf },
}

impl Target {
    /// A file, or standard output.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::Output) };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
        // A device or a pipe cannot be replaced, only written to.
        if path.exists() && !path.is_file() {
            let file = File::options().write(true).open(path).during("open", path.display())?;
            return Ok(Self::File { file, part: path.to_owned(), path: path.to_owned() });
        }
        let file = File::create(&part).during("make", path.display())?;
        Ok(Self::File { file, part, path: path.to_owned() })
    }

    /// All that the daemon sends. A file that does not come to its end is removed.
    pub(crate) async fn take(mut self, mut body: Incoming) -> Result<()> {
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() {
                self.write(&data)?;
            }
        }
        self.finish()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Output => io::stdout().write_all(bytes).map_err(|error| output_error(&error)),
            Self::File { file, path, .. } => file.write_all(bytes).during("write", path.display()),
        }
    }

    /// It is whole.
    fn finish(mut self) -> Result<()> {
        match &mut self {
            Self::Output => io::stdout().flush().map_err(|error| output_error(&error)),
            Self::File { part, path, .. } if part == path => Ok(()),
            Self::File { part, path, .. } => {
                let renamed = std::fs::rename(&*part, &*path).during("make", path.display());
                part.clear();
                renamed
            }
        }
    }
}

impl Drop for Target {
    /// A half-written archive is of no use to anybody.
    fn drop(&mut self) {
        if let Self::File { part, path, .. } = self
            && part != path
            && !part.as_os_str().is_empty()
        {
            let _ = std::fs::remove_file(part);
        }
    }
}
