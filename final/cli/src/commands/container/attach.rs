//! `attach`: connect this terminal to a container that runs already.

use clap::Args;

use super::run::{Keys, attach, keys, wait};
use super::{Container, detach_keys, path};
use crate::attach::signals::Signals;
use crate::attach::terminal::Raw;
use crate::attach::{End, LEFT, Session, terminal};
use crate::client::Client;
use crate::commands::{Execute, Exit};
use crate::create::Connected;
use crate::error::{Error, Result};
use crate::grammar::boolean;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Attach {
    /// Do not pass input on
    #[arg(long)]
    no_stdin: bool,
    /// Keys that leave the container running (default ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    detach_keys: Option<Keys>,
    /// Pass signals on to the program (the default; --sig-proxy=false does not)
    #[arg(long, value_name = "BOOLEAN", default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true, hide_default_value = true, value_parser = boolean)]
    sig_proxy: bool,
    #[arg(hide = true, value_name = "CONTAINER")]
    container: String,
}

impl Execute for Attach {
    const USAGE: &'static str = "[OPTIONS] CONTAINER";
    const ABOUT: &'static str = "Connect this terminal to a running container";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let container = Container::find(client, &self.container).await?;
        check(&container)?;
        let (id, tty) = (container.id.as_str(), container.config.tty);
        let connected = Connected { input: !self.no_stdin && container.config.open_stdin, output: true, error: true };
        terminal::check(connected.input, tty)?;
        let mut signals = Signals::catch();
        let (stream, ending) = tokio::try_join!(attach(client, id, connected), wait(client, id, "not-running"))?;
        let raw = if tty && connected.input { Raw::enter()? } else { None };
        let detach = detach_keys(client, self.detach_keys.as_ref().map(|keys| &keys.0))?;
        let session = Session { client, path: path(id), tty, input: connected.input, output: true, detach };
        let whole = async {
            let end = session.run(stream).await?;
            drop(raw);
            match end {
                End::Detached => Err(Error::new(LEFT)),
                End::Finished => ending.status().await,
            }
        };
        // With a terminal, Ctrl-C is a key like any other; what else arrives is about us.
        let signals = async {
            if self.sig_proxy && !tty {
                signals.forward(client, id).await
            } else {
                match signals.end_program().await {}
            }
        };
        tokio::select! {
            result = whole => result,
            gave_up = signals => Err(gave_up),
        }
    }
}

/// Only a container that runs has something to attach to.
fn check(container: &Container) -> Result<()> {
    let state = &container.state;
    let (what, how) = match (state.running, state.paused, state.restarting) {
        (_, true, _) => ("You cannot attach to a paused container, unpause it first", "`skiff unpause` does it."),
        (_, _, true) => {
            ("You cannot attach to a restarting container, wait until it is running", "`skiff ps` shows it.")
        }
        (false, ..) => ("You cannot attach to a stopped container, start it first", "`skiff start -a` does both."),
        _ => return Ok(()),
    };
    Err(Error::new(what).hint(how))
}
