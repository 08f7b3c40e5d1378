//! `exec`: a second program in a running container.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::run::{Keys, keys};
use super::{detach_keys, path};
use crate::attach::signals::Signals;
use crate::attach::terminal::Raw;
use crate::attach::{End, LEFT, Session, terminal};
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::create::environment;
use crate::error::{ENGINE, Error, Result};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Exec {
    /// Run in the background
    #[arg(short, long)]
    detach: bool,
    /// Keys that leave the program running (default ctrl-p,ctrl-q)
    #[arg(long, value_name = "KEYS", value_parser = keys)]
    detach_keys: Option<Keys>,
    /// Environment variable, NAME=VALUE, or NAME to pass on our own
    #[arg(short, long = "env", value_name = "VARIABLE")]
    env: Vec<String>,
    /// File with one environment variable per line
    #[arg(long = "env-file", value_name = "FILE")]
    env_files: Vec<PathBuf>,
    /// Pass input on
    #[arg(short, long)]
    interactive: bool,
    /// Give it all rights of root on the host
    #[arg(long)]
    privileged: bool,
    /// Give the program a terminal
    #[arg(short, long)]
    tty: bool,
    /// User to run as, NAME or ID, and after a colon the group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Directory to start in
    #[arg(short, long, value_name = "DIRECTORY")]
    workdir: Option<String>,
    #[arg(required = true, trailing_var_arg = true, num_args = 2.., hide = true, value_name = "CONTAINER")]
    words: Vec<String>,
}

/// The body of `POST /containers/ID/exec`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Program<'a> {
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    detach: bool,
    tty: bool,
    privileged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_size: Option<(u16, u16)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_dir: Option<&'a str>,
    cmd: &'a [String],
}

/// The body of `POST /exec/ID/start`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    detach: bool,
    tty: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    console_size: Option<(u16, u16)>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ended {
    exit_code: Option<i64>,
}

impl Execute for Exec {
    const USAGE: &'static str = "[OPTIONS] CONTAINER COMMAND [ARG...]";
    const ABOUT: &'static str = "Run another program in a running container";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let Some((container, command)) = self.words.split_first().filter(|(_, command)| !command.is_empty()) else {
            return Err(
                Error::new("'skiff exec' requires at least 2 arguments").hint("Name a container and a command.")
            );
        };
        let attached = !self.detach;
        terminal::check(self.interactive && attached, self.tty)?;
        let console_size = if self.tty { terminal::size() } else { None };
        let program = Program {
            attach_stdin: self.interactive && attached,
            attach_stdout: attached,
            attach_stderr: attached,
            detach: self.detach,
            tty: self.tty,
            privileged: self.privileged,
            console_size,
            env: environment(&self.env_files, &self.env, &|name| std::env::var(name).ok())?,
            user: self.user.as_deref(),
            working_dir: self.workdir.as_deref(),
            cmd: command,
        };
        let create = Request::post(format!("{}/exec", path(container))).json(&program)?;
        let Created { id } = client.json(create).await?;
        let start = Request::post(format!("/exec/{id}/start"));
        let start = start.json(&Start { detach: self.detach, tty: self.tty, console_size })?;
        if self.detach {
            return client.send(start).await.map(|()| DONE);
        }
        self.attached(client, &id, start).await
    }
}

impl Exec {
    async fn attached(&self, client: &Client, id: &str, start: Request) -> Result<Exit> {
        let mut signals = Signals::catch();
        let stream = client.hijack(start).await.map_err(|error| {
            let exit = start_status(&error.message);
            error.exit(exit)
        })?;
        let raw = if self.tty && self.interactive { Raw::enter()? } else { None };
        let session = Session {
            client,
            path: format!("/exec/{id}"),
            tty: self.tty,
            input: self.interactive,
            output: true,
            detach: detach_keys(client, self.detach_keys.as_ref().map(|keys| &keys.0))?,
        };
        let end = tokio::select! {
            end = session.run(stream) => end?,
            never = signals.end_program() => match never {},
        };
        drop(raw);
        if end == End::Detached {
            return Err(Error::new(LEFT));
        }
        let ended: Ended = client.json(Request::get(format!("/exec/{id}/json"))).await?;
        Ok(Exit(u8::try_from(ended.exit_code.unwrap_or(0) & 0xff).unwrap_or(ENGINE)))
    }
}

/// 127 for a program that is not there, 126 for one that cannot be run, 1 for everything else.
fn start_status(message: &str) -> u8 {
    let message = message.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if says(&["executable file not found", "no such file or directory"]) {
        127
    } else if says(&["permission denied", "is a directory"]) {
        126
    } else {
        1
    }
}
