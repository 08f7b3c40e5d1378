//! `run`: create, attach, start, wait. The order matters: who attaches and waits after the start may miss the end.
//!
//! ```text
//! create ─┬─ attach ─┐
//!         └─ wait ───┴─ start ─ session … ─ exit status
//! ```
//!
//! The connections for attach and wait are opened while `create` is under way, and the two requests are made at the same
//! time, so a `run` costs three round trips.

use bollard_stubs::models::ContainerCreateBody;
use clap::Args;
use serde::Deserialize;

use super::create::{Asked, Made, create};
use super::detach_keys;
use crate::attach::signals::Signals;
use crate::attach::terminal::{self, Raw};
use crate::attach::{End, Session};
use crate::client::{Client, Hijacked, Lines, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::create::{Connected, Options};
use crate::error::{ENGINE, Error, Result};
use crate::explain::{Form, Story};
use crate::grammar::keys;
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Run in the background and print the id
    #[arg(short, long)]
    detach: bool,
    /// Keys that leave the container running (default ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    detach_keys: Option<Keys>,
    /// Pass signals on to the program (the default; --sig-proxy=false does not)
    #[arg(long, value_name = "BOOLEAN", default_value = "true", default_missing_value = "true", num_args = 0..=1, require_equals = true, hide_default_value = true, value_parser = crate::grammar::boolean)]
    sig_proxy: bool,
    /// Tell in the end how it was done: six steps, their times and kernel calls (--explain=json: for programs)
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "text", hide_possible_values = true)]
    explain: Option<Form>,
    #[command(flatten)]
    options: Options,
}

/// What `--detach-keys` says. A type of its own, because for clap a vector is several flags.
#[derive(Debug, Clone)]
pub(super) struct Keys(pub(super) Vec<u8>);

pub(super) fn keys(text: &str) -> Result<Keys, String> {
    keys::parse(text).map(Keys)
}

impl Execute for Run {
    const USAGE: &'static str = "[OPTIONS] IMAGE [COMMAND] [ARG...]";
    const ABOUT: &'static str = "Make a container from an image and run it";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let streams = &self.options.streams;
        if self.detach && !streams.attach.is_empty() {
            return Err(Error::new("conflicting options: cannot specify both --attach and --detach").exit(1));
        }
        let mut asked = Asked::new(client, &self.options, self.detach)?;
        let identity = &self.options.identity;
        let mut story = self.explain.map(Story::begin);
        if self.detach {
            let made = create(client, identity, &asked).await?;
            note(&mut story, &made);
            start(client, &made.id, story.as_mut()).await?;
            output::line(made.id)?;
            tell(story, false).await;
            return Ok(DONE);
        }
        let connected = streams.connected();
        terminal::check(connected.input, streams.tty).map_err(|error| error.exit(1))?;
        console_size(&mut asked.body, streams.tty);
        let (made, ()) = tokio::join!(create(client, identity, &asked), client.warm(2));
        let made = made?;
        note(&mut story, &made);
        self.attached(client, &made.id, connected, story).await
    }
}

impl Run {
    /// Everything after `create`, for a container that we stay with.
    async fn attached(
        &self,
        client: &Client,
        id: &str,
        connected: Connected,
        mut story: Option<Story>,
    ) -> Result<Exit> {
        let (tty, remove) = (self.options.streams.tty, self.options.process.rm);
        let mut signals = self.sig_proxy.then(Signals::catch);
        let condition = if remove { "removed" } else { "next-exit" };
        let (stream, ending) = tokio::try_join!(attach(client, id, connected), wait(client, id, condition))?;
        let raw = if tty && connected.input { Raw::enter()? } else { None };
        if let Err(error) = start(client, id, story.as_mut()).await {
            drop(raw);
            if remove {
                // The name is free again when the container is gone; nothing is lost when that takes too long.
                let _ = tokio::time::timeout(std::time::Duration::from_secs(5), ending.status()).await;
            }
            return Err(error);
        }
        let session = Session {
            client,
            path: format!("/containers/{id}"),
            tty,
            input: connected.input,
            output: connected.output || connected.error,
            detach: detach_keys(client, self.detach_keys.as_ref().map(|keys| &keys.0))?,
        };
        let whole = async {
            let end = session.run(stream).await?;
            drop(raw);
            match end {
                End::Detached => Ok((DONE, false)),
                End::Finished => Ok((ending.status().await?, true)),
            }
        };
        let (exit, ended) = match &mut signals {
            None => whole.await,
            Some(signals) => tokio::select! {
                result = whole => result,
                gave_up = signals.forward(client, id) => Err(gave_up),
            },
        }?;
        tell(story, ended).await;
        Ok(exit)
    }
}

fn note(story: &mut Option<Story>, made: &Made) {
    if let Some(story) = story {
        story.created(made.pulled, made.took);
    }
}

async fn tell(story: Option<Story>, ended: bool) {
    if let Some(story) = story {
        story.tell(ended).await;
    }
}

/// The size of the terminal is part of the request, so that the program never sees a wrong one.
fn console_size(body: &mut ContainerCreateBody, tty: bool) {
    if let (true, Some((rows, columns)), Some(host)) = (tty, terminal::size(), body.host_config.as_mut()) {
        host.console_size = Some(vec![usize::from(rows), usize::from(columns)]);
    }
}

/// Connects to the container's streams.
pub(super) async fn attach(client: &Client, id: &str, connected: Connected) -> Result<Hijacked> {
    let request = Request::post(format!("{}/attach", super::path(id))).flag("stream", true);
    let request = request.flag("stdin", connected.input).flag("stdout", connected.output);
    client.hijack(request.flag("stderr", connected.error)).await
}

/// Starts a container. Docker's exit status tells why a program could not be started.
async fn start(client: &Client, id: &str, story: Option<&mut Story>) -> Result<()> {
    let path = super::path(id);
    let started = match story {
        Some(story) => story.start(client, &path).await,
        None => client.send(Request::post(format!("{path}/start"))).await,
    };
    started.map_err(|error| {
        let exit = start_status(&error.message);
        error.exit(exit)
    })
}

/// 127 for a program that is not there, 126 for one that cannot be run, 125 for everything else.
fn start_status(message: &str) -> u8 {
    // Docker looks for Go's words, which begin small. The kernel's may also be about a device or a mount, and count only
    // where they are about the program.
    let program = message.contains("cannot execute");
    let message = if program { message.to_lowercase() } else { message.to_owned() };
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if says(&["executable file not found", "no such file or directory"]) {
        127
    } else if says(&["permission denied", "is a directory"]) {
        126
    } else {
        ENGINE
    }
}

/// The answer to `wait`, on its way.
pub(super) struct Ending(Lines);

/// Asks for the exit status. Returns when the daemon has heard the question; the answer comes when the container ends.
pub(super) async fn wait(client: &Client, id: &str, condition: &str) -> Result<Ending> {
    let request = Request::post(format!("{}/wait", super::path(id))).query("condition", condition);
    Ok(Ending(Lines::new(client.stream(request).await?)))
}

/// The body of the answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Waited {
    status_code: i64,
    #[serde(default)]
    error: Option<WaitError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WaitError {
    #[serde(default)]
    message: String,
}

impl Ending {
    /// The container's exit status, as ours.
    pub(super) async fn status(mut self) -> Result<Exit> {
        self.code().await.map(|code| Exit(u8::try_from(code & 0xff).unwrap_or(ENGINE)))
    }

    /// The container's exit status as the daemon has it.
    pub(super) async fn code(&mut self) -> Result<i64> {
        let waited: Option<Waited> = self.0.next().await?;
        let waited =
            waited.ok_or_else(|| Error::new("the daemon went away while we waited for the container").exit(ENGINE))?;
        match waited.error.filter(|error| !error.message.is_empty()) {
            Some(error) => Err(Error::new(error.message).exit(ENGINE)),
            None => Ok(waited.status_code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::start_status;

    #[test]
    fn the_exit_status_follows_from_the_words() {
        assert_eq!(start_status("exec: \"nosuch\": executable file not found in $PATH: unknown"), 127);
        assert_eq!(start_status("cannot execute /x: No such file or directory"), 127);
        assert_eq!(start_status("cannot use the device /dev/nope: No such file or directory"), 125);
        assert_eq!(start_status("exec: \"/etc\": permission denied: unknown"), 126);
        assert_eq!(start_status("cannot execute /etc: Is a directory"), 126);
        assert_eq!(start_status("port is already allocated"), 125);
    }
}
