//! `logs`: what a container wrote.

use clap::Args;
use http_body_util::BodyExt as _;
use jiff::Timestamp;

use super::{Container, path};
use crate::attach::frames::{Channel, Frames};
use crate::attach::outlet;
use crate::client::{Client, Request, broken};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output::time;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Print also what the log options add to each line
    #[arg(long)]
    details: bool,
    /// Go on as more is written
    #[arg(short, long)]
    follow: bool,
    /// Begin at this time: 2026-11-24T09:10:45Z, or 10m for ten minutes ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// End at this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Number of lines from the end
    #[arg(short = 'n', long, value_name = "NUMBER", default_value = "all")]
    tail: String,
    /// Put the time before each line
    #[arg(short, long)]
    timestamps: bool,
    #[arg(hide = true, value_name = "CONTAINER")]
    container: String,
}

impl Execute for Logs {
    const USAGE: &'static str = "[OPTIONS] CONTAINER";
    const ABOUT: &'static str = "Print what a container has written";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let now = Timestamp::now();
        let moment = |flag: &str, text: &Option<String>| {
            let moment = text.as_deref().map(|text| time::moment(text, now)).transpose();
            moment.map_err(|error| error.while_doing(format!("invalid value for \"{flag}\"")))
        };
        let (since, until) = (moment("since", &self.since)?, moment("until", &self.until)?);
        let container = Container::find(client, &self.container).await?;
        let request = Request::get(format!("{}/logs", path(&container.id))).flag("stdout", true).flag("stderr", true);
        let request = request.flag("follow", self.follow).flag("timestamps", self.timestamps);
        let request = request.flag("details", self.details).query("tail", &self.tail);
        let mut body = client.stream(request.maybe("since", since).maybe("until", until)).await?;
        let mut frames = Frames::default();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
            let mut bytes = &data[..];
            if container.config.tty {
                outlet::to_output(bytes).await?;
                continue;
            }
            while let Some((channel, part)) = frames.next(&mut bytes)? {
                match channel {
                    Channel::Output => outlet::to_output(part).await?,
                    Channel::Error | Channel::Daemon => outlet::to_error(part).await?,
                }
            }
        }
        Ok(DONE)
    }
}
