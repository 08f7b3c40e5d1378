//! `start`: start containers again, and stay with one.

use std::cell::RefCell;

use clap::Args;

use super::run::{Keys, attach, keys, wait};
use super::{Container, detach_keys, path};
use crate::attach::signals::Signals;
use crate::attach::terminal::Raw;
use crate::attach::{End, Session, terminal};
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit, each};
use crate::create::Connected;
use crate::error::{Error, Result};
use crate::grammar::boolean;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// Stay with the container: print its output, pass signals on
    #[arg(short, long)]
    attach: bool,
    /// Stay with the container and pass input on
    #[arg(short, long)]
    interactive: bool,
    /// Keys that leave the container running (default ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    detach_keys: Option<Keys>,
    /// Pass signals on to the program
    #[arg(long, value_name = "BOOLEAN", default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true, hide = true, value_parser = boolean)]
    sig_proxy: bool,
    #[arg(required = true, hide = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Execute for Start {
    const USAGE: &'static str = "[OPTIONS] CONTAINER [CONTAINER...]";
    const ABOUT: &'static str = "Start containers that have ended or never ran";

    async fn execute(self, client: &Client) -> Result<Exit> {
        if !self.attach && !self.interactive {
            let failed = RefCell::new(Vec::new());
            let start = async |name: &str| {
                let started = client.send(Request::post(format!("{}/start", path(name)))).await;
                started.inspect_err(|_| failed.borrow_mut().push(name.to_owned()))
            };
            let all = each(&self.containers, start).await;
            let names = failed.borrow().join(", ");
            return all.map_err(|error| error.and(Error::new(format!("Error: failed to start containers: {names}"))));
        }
        match self.containers.as_slice() {
            [container] => self.attached(client, container).await,
            _ => Err(Error::new("you cannot start and attach multiple containers at once")),
        }
    }
}

impl Start {
    async fn attached(&self, client: &Client, name: &str) -> Result<Exit> {
        let container = Container::find(client, name).await?;
        let (id, tty) = (container.id.as_str(), container.config.tty);
        let connected = Connected { input: self.interactive && container.config.open_stdin, output: true, error: true };
        terminal::check(connected.input, tty)?;
        let mut signals = Signals::catch();
        let (stream, ending) = tokio::try_join!(attach(client, id, connected), wait(client, id, "next-exit"))?;
        let raw = if tty && connected.input { Raw::enter()? } else { None };
        client.send(Request::post(format!("{}/start", path(id)))).await?;
        let detach = detach_keys(client, self.detach_keys.as_ref().map(|keys| &keys.0))?;
        let session = Session { client, path: path(id), tty, input: connected.input, output: true, detach };
        let whole = async {
            let end = session.run(stream).await?;
            drop(raw);
            match end {
                End::Detached => Ok(DONE),
                End::Finished => ending.status().await,
            }
        };
        tokio::select! {
            result = whole => result,
            gave_up = signals.forward(client, id), if self.sig_proxy => Err(gave_up),
        }
    }
}
