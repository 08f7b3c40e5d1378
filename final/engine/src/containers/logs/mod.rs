//! A container's log, read back: as it is, from its end, and as it grows.
//!
//! 1. `mod.rs`: what can be asked for, and the stream that answers.
//! 2. `entry.rs`: a line of the file becomes a frame of docker's stream.
//! 3. `details.rs`: labels and variables in front of each line.
//! 4. `files.rs`: the current file and its older ones; lines from them, the last N first found from the end.
//! 5. `follow.rs`: waiting for more, across rotation, until the container ends.

pub(super) mod details;
mod entry;
mod files;
mod follow;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use self::entry::Rendering;
use super::Containers;
use super::plan::log;
use crate::error::{Error, Result};

/// What is wanted of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogsOptions {
    /// Go on as it grows, until the container ends.
    pub follow: bool,
    /// The program's output.
    pub stdout: bool,
    /// Its error output.
    pub stderr: bool,
    /// Nothing from before this moment.
    pub since: Option<Timestamp>,
    /// Nothing from after this moment.
    pub until: Option<Timestamp>,
    /// The moment in front of each line.
    pub timestamps: bool,
    /// The labels and variables that the log's options name in front of each line.
    pub details: bool,
    /// Only so many of the last lines.
    pub tail: Option<u64>,
}

/// Pieces of the log, framed unless it is a terminal's.
pub type LogStream = ReceiverStream<Bytes>;

/// A log being read.
#[derive(Debug)]
pub struct Logs {
    /// What is read.
    pub stream: LogStream,
    /// Whether it is a terminal's: without frames.
    pub tty: bool,
}

impl Containers {
    /// Reads a container's log.
    ///
    /// # Errors
    /// 400 when no stream is wanted, 501 when the container writes no log.
    pub fn logs(&self, name: &str, options: LogsOptions) -> Result<Logs> {
        let container = self.find(name)?;
        if !options.stdout && !options.stderr {
            return Err(Error::invalid("Bad parameters: you must choose at least one stream"));
        }
        let asked = container.asked();
        if !log::is_kept(&asked.host)? {
            return Err(Error::unsupported("configured logging driver does not support reading")
                .hint("The container was made with --log-driver none, or with --log-opt cache-disabled=true."));
        }
        // A few pieces ahead of the reader: a log of gigabytes is read as fast as the client takes it.
        let (pieces, received) = mpsc::channel(4);
        let tty = asked.tty();
        let details = if options.details { Some(details::of(&asked)?) } else { None };
        let rendering = Rendering::new(options, details, tty);
        // Opened before the answer: who asks for the log and then removes the container still gets all of it.
        let opened = follow::Opened::of(&container, options)?;
        tokio::spawn(async move {
            if let Err(failure) = follow::send(&container, options, rendering, opened, pieces).await {
                tracing::warn!("{failure}");
            }
        });
        Ok(Logs { stream: ReceiverStream::new(received), tty })
    }
}
