//! One session: output until it ends, input until it ends or the detach keys are typed, and the terminal's size.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::frames::{Channel, Frames};
use super::input::Input;
use super::signals::Resizes;
use super::{outlet, terminal};
use crate::client::{Client, Hijacked, Request};
use crate::error::{Error, Result, reason};
use crate::grammar::keys::Detector;

/// What a session is made of.
pub(crate) struct Session<'a> {
    /// For the terminal's size.
    pub(crate) client: &'a Client,
    /// `/containers/ID` or `/exec/ID`: what is resized.
    pub(crate) path: String,
    /// Whether the program has a terminal: then the output is not framed.
    pub(crate) tty: bool,
    /// Whether our input goes to it.
    pub(crate) input: bool,
    /// Whether any output comes from it.
    pub(crate) output: bool,
    /// The keys that end the session and not the program.
    pub(crate) detach: Vec<u8>,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The other side had nothing more to say.
    Finished,
    /// The user left with the detach keys; the program goes on.
    Detached,
}

impl Session<'_> {
    /// Runs the session to its end.
    pub(crate) async fn run(&self, stream: Hijacked) -> Result<End> {
        let Hijacked { reader, writer } = stream;
        tokio::select! {
            result = self.pump_output(reader), if self.output => result.map(|()| End::Finished),
            result = self.pump_input(writer) => result,
            never = self.follow_size(), if self.tty => match never {},
        }
    }

    /// Their output to ours.
    async fn pump_output<R: tokio::io::AsyncRead>(&self, mut reader: ReadHalf<R>) -> Result<()> {
        let mut buffer = vec![0; 32 * 1024];
        let mut frames = Frames::default();
        loop {
            let count = reader.read(&mut buffer).await.map_err(|error| broken(&error))?;
            let mut bytes = buffer.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(());
            }
            if self.tty {
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
    }

    /// Our input to theirs. Its end closes our direction only; the session goes on until the output ends.
    async fn pump_input<W: tokio::io::AsyncWrite>(&self, mut writer: WriteHalf<W>) -> Result<End> {
        if !self.input {
            return pending().await;
        }
        let input = Input::new();
        let mut detector = Detector::new(if self.tty { self.detach.clone() } else { Vec::new() });
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let bytes = input.read(&mut buffer).await.map_err(|error| unreadable(&error))?;
            if bytes.is_empty() {
                break;
            }
            let (bytes, detached) = detector.filter(bytes);
            // A program that has closed its input is not our trouble; its output still counts.
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
            if detached {
                return Ok(End::Detached);
            }
        }
        let _ = writer.shutdown().await;
        if self.output { pending().await } else { Ok(End::Finished) }
    }

    /// Tells the daemon the terminal's size now and whenever it changes.
    async fn follow_size(&self) -> Infallible {
        let mut resizes = Resizes::watch();
        // The program may not be quite there yet.
        for attempt in 1..=10 {
            if self.resize().await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10 * attempt)).await;
        }
        loop {
            let _ = resizes.next().await;
            let _ = self.resize().await;
        }
    }

    async fn resize(&self) -> Result<()> {
        let Some((rows, columns)) = terminal::size() else { return Ok(()) };
        let request = Request::post(format!("{}/resize", self.path));
        self.client.send(request.query("h", rows.to_string()).query("w", columns.to_string())).await
    }
}

fn broken(error: &std::io::Error) -> Error {
    Error::new(format!("the connection to the container broke: {}", reason(error)))
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::new(format!("cannot read standard input: {}", reason(error)))
}
