//! `inspect --kernel`: what the kernel says about a running container. The daemon reads it; this prints it.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Exit, container};
use crate::error::{Error, Result};
use crate::output;
use crate::template::{Data, Template};

/// The daemon's answer, as far as people read it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct View {
    name: String,
    pid: i64,
    chapters: Vec<Chapter>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Chapter {
    chapter: String,
    facts: Vec<Fact>,
}

#[derive(Debug, Deserialize)]
struct Fact {
    source: String,
    value: String,
}

/// Shows the containers of these names: as text, as JSON, or by a template over the same JSON.
pub(super) async fn show(client: &Client, names: &[String], format: Option<&str>) -> Result<Exit> {
    let template = match format.filter(|format| *format != "json") {
        Some(text) => Some(Template::parse(text).map_err(|fault| Error::from(fault).exit(64))?),
        None => None,
    };
    let mut errors = Vec::new();
    for name in names {
        let bytes = match client.bytes(Request::get(format!("{}/kernel", container::path(name)))).await {
            Ok(bytes) => bytes,
            Err(error) => {
                errors.push(other_daemon(error));
                continue;
            }
        };
        let wrong = |error| Error::new(format!("cannot understand the daemon's answer: {error}"));
        match (&template, format) {
            (Some(template), _) => {
                output::line(template.render(&Data::new(serde_json::from_slice(&bytes).map_err(wrong)?))?)?;
            }
            (None, Some(_)) => output::print(&bytes)?,
            (None, None) => output::print(text(&serde_json::from_slice(&bytes).map_err(wrong)?))?,
        }
    }
    Error::all(errors).map(|()| DONE)
}

/// A Docker daemon has no such page.
fn other_daemon(error: Error) -> Error {
    if error.is_not_found() && error.message.contains("page not found") {
        return error.hint("Only skiffd can say this.");
    }
    error
}

fn text(view: &View) -> String {
    let mut out = format!("{}, process {}\n", view.name, view.pid);
    let process = format!("/proc/{}/", view.pid);
    for Chapter { chapter, facts } in view.chapters.iter().filter(|chapter| !chapter.facts.is_empty()) {
        let _ = write!(out, "\nchapter {chapter}\n");
        let mut before = "";
        for Fact { source, value } in facts {
            let source = source.strip_prefix(&process).unwrap_or(source);
            for line in value.lines() {
                let label = if source == before { "" } else { source };
                let _ = writeln!(out, "  {label:<27} {line}");
                before = source;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_named_once() {
        let fact = |source: &str, value: &str| Fact { source: source.to_owned(), value: value.to_owned() };
        let facts = vec![
            fact("/proc/42/ns/uts", "uts:[7], its own"),
            fact("/proc/42/status", "Seccomp: 2 (a filter)"),
            fact("devices.list", "c 1:3 rwm\nc 1:5 rwm"),
        ];
        let none = Chapter { chapter: "5 volumes".to_owned(), facts: Vec::new() };
        let chapters = vec![Chapter { chapter: "1 namespaces".to_owned(), facts }, none];
        let view = View { name: "web".to_owned(), pid: 42, chapters };
        insta::assert_snapshot!(text(&view), @"
        web, process 42

        chapter 1 namespaces
          ns/uts                      uts:[7], its own
          status                      Seccomp: 2 (a filter)
          devices.list                c 1:3 rwm
                                      c 1:5 rwm
        ");
    }
}
