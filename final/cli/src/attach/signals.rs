//! Signals: what is sent to us is meant for the container.

use std::convert::Infallible;

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::terminal;
use crate::client::{Client, Request};
use crate::error::{Error, Result};

/// The signals that are passed on. Not those that are about ourselves: SIGCHLD, SIGPIPE, SIGWINCH, SIGTTIN.
const FORWARDED: [Signal; 10] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGABRT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTERM,
    Signal::SIGCONT,
    Signal::SIGTSTP,
];

/// After so many requests to end, a client whose container does not listen gives up.
const PATIENCE: u32 = 3;

/// Signals that were caught and wait to be passed on.
pub(crate) struct Signals {
    caught: mpsc::UnboundedReceiver<Signal>,
}

impl Signals {
    /// Catches signals from now on.
    pub(crate) fn catch() -> Self {
        let (sender, caught) = mpsc::unbounded_channel();
        for kind in FORWARDED {
            let Ok(mut stream) = signal(SignalKind::from_raw(kind as i32)) else { continue };
            let sender = sender.clone();
            tokio::spawn(async move { while stream.recv().await.is_some() && sender.send(kind).is_ok() {} });
        }
        Self { caught }
    }

    /// Passes signals on to a container for ever, or until the user has asked for the end three times.
    pub(crate) async fn forward(&mut self, client: &Client, id: &str) -> Error {
        let mut asked = 0;
        while let Some(kind) = self.caught.recv().await {
            // A container that does not run yet or any more cannot be signalled; that is no news.
            let request = Request::post(format!("/containers/{id}/kill"))
                .query("signal", kind.as_str().trim_start_matches("SIG"));
            let _ = client.send(request).await;
            asked += u32::from(matches!(kind, Signal::SIGINT | Signal::SIGTERM));
            if asked >= PATIENCE {
                break;
            }
        }
        Error::new(format!("got {PATIENCE} SIGTERM/SIGINTs, forcefully exiting"))
            .hint("The container goes on. `skiff kill` ends it.")
    }

    /// For a session that passes nothing on: a signal ends the program, with the terminal as it was.
    pub(crate) async fn end_program(&mut self) -> Infallible {
        loop {
            use Signal::{SIGABRT, SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
            if let Some(kind @ (SIGHUP | SIGINT | SIGQUIT | SIGABRT | SIGALRM | SIGTERM)) = self.caught.recv().await {
                terminal::restore();
                std::process::exit(128 + kind as i32);
            }
        }
    }
}

/// Waits for the next change of the terminal's size.
pub(crate) struct Resizes(Option<tokio::signal::unix::Signal>);

impl Resizes {
    /// Watches from now on.
    pub(crate) fn watch() -> Self {
        Self(signal(SignalKind::window_change()).ok())
    }

    /// Returns when the size has changed.
    pub(crate) async fn next(&mut self) -> Result<()> {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
        Ok(())
    }
}
