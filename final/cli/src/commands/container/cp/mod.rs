//! `cp`: files between this machine and a container.
//!
//! - `rules.rs`: where things land. Docker's rules are those of cp(1) with two additions: a path that ends with a slash must
//!   be a directory, and `SOURCE/.` is what is in it. Pure.
//! - `local.rs`: this machine's side: packing and unpacking.
//!
//! What travels is a tar archive, and nothing of it is ever whole in memory: a thread packs or unpacks at one end of a pipe.

mod local;
mod rules;

use std::io::{self, IsTerminal as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use http_body_util::BodyExt as _;
use serde::Deserialize;

use self::rules::{Place, Side, landing};
use super::path;
use crate::client::{Client, Request, Upload, broken};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::output::{self, output_error, units};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Cp {
    /// Keep owners: numbers as they are on the way out, the container's user on the way in
    #[arg(short, long)]
    archive: bool,
    /// Copy what a link leads to instead of the link
    #[arg(short = 'L', long)]
    follow_link: bool,
    /// Say nothing when it has worked
    #[arg(short, long)]
    quiet: bool,
    #[arg(hide = true, value_name = "SOURCE", allow_hyphen_values = true)]
    source: String,
    #[arg(hide = true, value_name = "TARGET", allow_hyphen_values = true)]
    target: String,
}

/// What is at a path of a container: the header `X-Docker-Container-Path-Stat`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stat {
    mode: u32,
    link_target: String,
}

impl Stat {
    /// Go's bit for a directory.
    fn is_directory(&self) -> bool {
        self.mode >> 31 == 1
    }
}

impl Execute for Cp {
    const USAGE: &'static str = "[OPTIONS] [CONTAINER:]SOURCE|- [CONTAINER:]TARGET|-";
    const ABOUT: &'static str = "Copy files between this machine and a container";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let (from, to) = (rules::side(&self.source), rules::side(&self.target));
        match (&from, &to) {
            (Side::Container { name, path }, Side::Here(here)) => self.carry_out(client, name, path, here).await,
            (Side::Here(here), Side::Container { name, path }) => self.carry_in(client, here, name, path).await,
            (Side::Container { .. }, Side::Container { .. }) => {
                Err(Error::new("copying between containers is not supported"))
            }
            (Side::Here(_), Side::Here(_)) => Err(Error::new("must specify at least one container source")
                .hint("Write the container's side as CONTAINER:PATH.")),
        }
    }
}

impl Cp {
    /// From a container to this machine, or to standard output.
    async fn carry_out(&self, client: &Client, name: &str, from: &str, to: &str) -> Result<Exit> {
        let mut source = from.to_owned();
        let mut renamed = None;
        if self.follow_link
            && let Ok(stat) = stat(client, name, from).await
            && !stat.link_target.is_empty()
        {
            // The file at the end of the link, under the name of the link.
            renamed = rules::base(from);
            source = stat.link_target;
        }
        let request = Request::get(format!("{}/archive", path(name))).query("path", &source);
        let (head, mut body) = client.response(request).await?.into_parts();
        if to == "-" {
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() {
                    io::stdout().write_all(&data).map_err(|error| output_error(&error))?;
                }
            }
            return Ok(DONE);
        }
        let is_directory = read_stat(&head.headers)?.is_directory();
        let landing = landing(is_directory, &local::place(to)?)?;
        let rename = landing.name.or(renamed);
        let (sink, unpacking) = local::unpack(landing.directory, rename, self.archive)?;
        let mut sink = Some(sink);
        let mut count = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else { continue };
            count += data.len();
            // A reader that has given up says why when it is asked.
            if sink.as_mut().is_some_and(|sink| sink.write_all(&data).is_err()) {
                sink = None;
            }
        }
        drop(sink);
        local::finished(unpacking)?;
        self.tell(count, to);
        Ok(DONE)
    }

    /// From this machine, or standard input, into a container.
    async fn carry_in(&self, client: &Client, from: &str, name: &str, to: &str) -> Result<Exit> {
        let mut target = to.to_owned();
        let mut found = stat(client, name, to).await.ok();
        if let Some(link) = found.as_ref().map(|stat| stat.link_target.clone()).filter(|link| !link.is_empty()) {
            found = stat(client, name, &link).await.ok();
            target = link;
        }
        let place = Place { path: target, is_directory: found.as_ref().map(Stat::is_directory) };
        let (upload, packing, directory) = if from == "-" {
            if place.is_directory != Some(true) {
                return Err(Error::new(format!("destination \"{name}:{to}\" must be a directory")));
            }
            (local::standard_input()?, None, place.path)
        } else {
            let source = local::source(from, self.follow_link)?;
            let landing = landing(source.is_directory, &place)?;
            let (upload, packing) = local::pack(source, landing.name)?;
            (upload, Some(packing), landing.directory)
        };
        let request = Request::put(format!("{}/archive", path(name)))
            .query("path", &directory)
            .query("noOverwriteDirNonDir", "true")
            .flag("copyUIDGID", self.archive)
            .upload(Upload { file: upload });
        let sent = client.send(request).await;
        let count = packing.map(local::finished).transpose();
        sent?;
        self.tell(count?.unwrap_or_default(), &format!("{name}:{to}"));
        Ok(DONE)
    }

    /// Docker's sentence, for a person only.
    fn tell(&self, bytes: usize, to: &str) {
        if !self.quiet && io::stderr().is_terminal() {
            let size = units::size_exact(i64::try_from(bytes).unwrap_or(i64::MAX));
            output::notice(format!("Successfully copied {size} to {to}"));
        }
    }
}

/// What is at a path of a container.
async fn stat(client: &Client, name: &str, at: &str) -> Result<Stat> {
    // A refusal without a body cannot say under which version to ask instead.
    client.negotiate().await?;
    let response = client.response(Request::head(format!("{}/archive", path(name))).query("path", at)).await?;
    read_stat(response.headers())
}

fn read_stat(headers: &hyper::HeaderMap) -> Result<Stat> {
    let header = headers.get("x-docker-container-path-stat").map(hyper::header::HeaderValue::as_bytes);
    let json = header.and_then(|value| STANDARD.decode(value).ok());
    json.and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| Error::new("the daemon did not say what is at the path"))
}
