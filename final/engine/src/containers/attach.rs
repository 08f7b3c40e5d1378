//! Attach: a socket between a client and a container's streams. The monitor holds the other end, so the engine is not in the
//! way of the bytes, and frames them (docker's 8 bytes of head) unless they are a terminal's.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;

use futures_util::StreamExt;
use namespaces::Context;
use skiff_runtime::protocol::{Attach, Request};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::container::Container;
use super::logs::LogsOptions;
use super::record::Status;
use super::{Containers, whole};
use crate::error::{Error, Result};

/// What a client wants of a container's streams.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttachOptions {
    /// What the client sends is the program's input.
    pub stdin: bool,
    /// The program's output.
    pub stdout: bool,
    /// The program's error output.
    pub stderr: bool,
    /// What comes from now on.
    pub stream: bool,
    /// What came so far, from the log.
    pub logs: bool,
}

/// A client's end. Half-closing it ends the program's input; it ends when the program's output has.
#[derive(Debug)]
pub struct Attached {
    /// Bytes in both directions.
    pub stream: UnixStream,
    /// Whether they are a terminal's: without frames.
    pub tty: bool,
}

impl Containers {
    /// Connects a client. To a container that does not run it is connected when that starts, before its program writes its
    /// first byte: nothing is missed.
    ///
    /// # Errors
    /// 409 when the container is paused or restarting.
    pub async fn attach(&self, name: &str, options: AttachOptions) -> Result<Attached> {
        let (this, container) = (self.clone(), self.find(name)?);
        let tty = container.asked().tty();
        let live =
            async { if options.stream { connect(&container, wants(options)).await.map(Some) } else { Ok(None) } };
        let stream = if options.logs {
            let past = LogsOptions { stdout: options.stdout, stderr: options.stderr, ..LogsOptions::default() };
            let past = this.logs(name, past)?;
            let live = live.await?;
            let (near, far) = UnixStream::pair().step("make a pair of sockets")?;
            tokio::spawn(async move {
                // Whichever side ends first, there is nobody left to tell.
                let _ = past_then_live(past.stream, live, far).await;
            });
            near
        } else {
            live.await?.ok_or_else(|| Error::invalid("neither the log nor the stream is wanted"))?
        };
        this.tell(&container, "attach", &[]);
        Ok(Attached { stream, tty })
    }

    /// Tells the container's terminal its size. Without a terminal there is nobody to tell, and for docker's clients, which
    /// ask before they know, that is no error.
    ///
    /// # Errors
    /// 409 when nothing runs.
    pub async fn resize(&self, name: &str, height: u16, width: u16) -> Result<()> {
        let container = self.find(name)?;
        if !container.status().has_process() {
            return Err(container.not_running());
        }
        if container.asked().tty() {
            let asked = container.monitor()?.ask(Request::Resize { width, height }, Vec::new()).await;
            asked.map_err(|failure| container.blame(failure))?;
        }
        let size = [("height", height.to_string()), ("width", width.to_string())];
        self.tell(&container, "resize", &size);
        Ok(())
    }
}

/// A pair of sockets: the client's end, and the one for the monitor.
pub(super) fn pair() -> Result<(UnixStream, OwnedFd)> {
    let step = "make a pair of sockets";
    let (near, far) = StdUnixStream::pair().step(step)?;
    near.set_nonblocking(true).step(step)?;
    Ok((UnixStream::from_std(near).step(step)?, far.into()))
}

async fn connect(container: &Arc<Container>, wants: Attach) -> Result<UnixStream> {
    let (near, far) = pair()?;
    let container = Arc::clone(container);
    whole(async move {
        let _turn = container.turn.lock().await;
        match container.status() {
            Status::Paused => {
                let id = &container.id;
                return Err(Error::conflict(format!("container {id} is paused, unpause the container before attach")));
            }
            Status::Restarting => {
                let id = &container.id;
                return Err(Error::conflict(format!(
                    "container {id} is restarting, wait until the container is running"
                )));
            }
            Status::Running => {
                // A program that has ended this moment has no output any more: the stream ends at once.
                let asked = container.monitor()?.ask(Request::Attach(wants), vec![far]).await;
                if let Err(failure) = asked {
                    tracing::debug!("{failure}");
                }
            }
            Status::Created | Status::Exited | Status::Dead => container.wait_for_start((wants, far)),
        }
        Ok(near)
    })
    .await
}

fn wants(options: AttachOptions) -> Attach {
    Attach { stdin: options.stdin, stdout: options.stdout, stderr: options.stderr }
}

async fn past_then_live(
    mut past: super::logs::LogStream,
    live: Option<UnixStream>,
    mut client: UnixStream,
) -> std::io::Result<()> {
    while let Some(piece) = past.next().await {
        client.write_all(&piece).await?;
    }
    match live {
        Some(mut live) => tokio::io::copy_bidirectional(&mut client, &mut live).await.map(|_| ()),
        None => client.shutdown().await,
    }
}
