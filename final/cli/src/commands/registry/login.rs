//! `login`, `logout`: who we are to a registry.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde::Deserialize;
use serde_json::json;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{During as _, Error, Result};
use crate::login::{Secret, registry, server};
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// User name
    #[arg(short, long, value_name = "NAME")]
    username: Option<String>,
    /// Password or access token; others can see it while the command runs
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
    #[arg(hide = true, value_name = "SERVER")]
    server: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    status: String,
    #[serde(default)]
    identity_token: Option<String>,
}

impl Execute for Login {
    const USAGE: &'static str = "[OPTIONS] [SERVER]";
    const ABOUT: &'static str = "Log in to a registry";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let registry = registry(self.server.as_deref());
        let secret = self.secret(client, registry)?;
        let body = json!({
            "username": secret.username,
            "password": secret.password,
            "identitytoken": secret.identity_token,
            "serveraddress": server(registry),
        });
        let answer: Answer = client.json(Request::post("/auth").json(&body)?).await?;
        let kept = match answer.identity_token.filter(|token| !token.is_empty()) {
            // The password has done its work: what is kept can be taken back by the registry.
            Some(token) => Secret { username: secret.username, identity_token: token, ..Secret::default() },
            None => secret,
        };
        if client.logins.keep(registry, &kept)? {
            output::notice(format!(
                "The login is kept readable in {}. A credential helper (credsStore) would hide it.",
                client.logins.file().display()
            ));
        }
        output::line(answer.status)?;
        Ok(DONE)
    }
}

impl Login {
    /// From the flags, from an earlier login, or from the person at the terminal.
    fn secret(&self, client: &Client, registry: &str) -> Result<Secret> {
        if self.password.is_some() && self.password_stdin {
            return Err(Error::new("--password and --password-stdin are mutually exclusive"));
        }
        if self.password_stdin && self.username.is_none() {
            return Err(Error::new("Must provide --username with --password-stdin"));
        }
        if self.username.is_none()
            && self.password.is_none()
            && let Some(known) = client.logins.find(registry)?
        {
            output::notice("Authenticating with existing credentials...");
            return Ok(known);
        }
        let username = match &self.username {
            Some(name) => name.clone(),
            None => ask("Username: ", true)?,
        };
        let password = match &self.password {
            Some(word) => {
                output::notice("WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
                word.clone()
            }
            None if self.password_stdin => {
                let mut text = String::new();
                io::stdin().read_to_string(&mut text).during("read", "the password from standard input")?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            None => ask("Password: ", false)?,
        };
        if username.is_empty() || password.is_empty() {
            return Err(Error::new("a login needs a user name and a password"));
        }
        Ok(Secret { username, password, ..Secret::default() })
    }
}

/// A line from the terminal, shown or not while it is typed.
fn ask(question: &str, shown: bool) -> Result<String> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(Error::new("Error: Cannot perform an interactive login from a non TTY device")
            .hint("Use --username NAME --password-stdin."));
    }
    output::print(question)?;
    let before = tcgetattr(&stdin).map_err(io::Error::from).during("ask", "the terminal")?;
    if !shown {
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &quiet).map_err(io::Error::from).during("set", "the terminal")?;
    }
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if !shown {
        // The terminal is the user's: it gets its echo back whatever was read.
        let _ = tcsetattr(&stdin, OptionalActions::Drain, &before);
        output::line("")?;
    }
    read.during("read", "the terminal")?;
    Ok(line.trim().to_owned())
}

/// The argument.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    #[arg(hide = true, value_name = "SERVER")]
    server: Option<String>,
}

impl Execute for Logout {
    const USAGE: &'static str = "[SERVER]";
    const ABOUT: &'static str = "Log out from a registry";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let registry = registry(self.server.as_deref());
        if client.logins.forget(registry)? {
            output::line(format!("Removing login credentials for {}", server(registry)))?;
        } else {
            output::line(format!("Not logged in to {}", server(registry)))?;
        }
        Ok(DONE)
    }
}
