//! `events`: what happens, as it happens.

use clap::Args;
use jiff::Timestamp;

use crate::client::{Client, Lines, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::{Error, Result};
use crate::output::{self, labels, time};
use crate::template::{Data, Fault, Template, Value};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// Only those that fit, such as type=container or event=die
    #[arg(short, long = "filter", value_name = "FILTER", value_parser = labels::filter)]
    filters: Vec<(String, String)>,
    /// How to print them: json, or a template
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Begin at this time: 2026-11-24T09:10:45Z, or 10m for ten minutes ago
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// End at this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Execute for Events {
    const USAGE: &'static str = "[OPTIONS]";
    const ABOUT: &'static str = "Show what happens, as it happens";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let now = Timestamp::now();
        let moment = |text: &Option<String>| text.as_deref().map(|text| time::moment(text, now)).transpose();
        let template = match self.format.as_deref() {
            None | Some("json") => None,
            // Docker ends with a status of its own.
            Some(text) => Some(Template::parse(text).map_err(refused)?),
        };
        let request = Request::get("/events").maybe("since", moment(&self.since)?).maybe("until", moment(&self.until)?);
        let request = request.maybe("filters", labels::filters(&self.filters));
        let mut lines = Lines::new(client.stream(request).await?);
        while let Some(line) = lines.line().await? {
            if self.format.as_deref() == Some("json") {
                output::line(String::from_utf8_lossy(&line))?;
                continue;
            }
            let event: Value = serde_json::from_slice(&line).map_err(|error| Error::new(error.to_string()))?;
            match &template {
                None => output::line(text(&event))?,
                Some(template) => output::line(template.render(&Data::new(with_id(event))).map_err(refused)?)?,
            }
        }
        Ok(DONE)
    }
}

fn refused(fault: Fault) -> Error {
    Error::from(fault).exit(64)
}

/// `TIME TYPE ACTION ID (name=value, …)`
fn text(event: &Value) -> String {
    let field = |name: &str| event.member(name).map(ToString::to_string).unwrap_or_default();
    let nanoseconds = event.member("timeNano").and_then(Value::as_integer).unwrap_or(0);
    let then = Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default();
    let actor = event.member("Actor");
    let id = actor.and_then(|actor| actor.member("ID")).map(ToString::to_string).unwrap_or_default();
    let mut attributes = match actor.and_then(|actor| actor.member("Attributes")) {
        Some(Value::Map(map)) => map.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        _ => Vec::new(),
    };
    attributes.sort();
    let attributes = if attributes.is_empty() { String::new() } else { format!(" ({})", attributes.join(", ")) };
    format!("{} {} {} {id}{attributes}", time::precise(then), field("Type"), field("Action"))
}

/// Newer daemons have left out the fields that templates of old ask for.
fn with_id(event: Value) -> Value {
    let id = event.member("Actor").and_then(|actor| actor.member("ID")).cloned();
    let action = event.member("Action").cloned();
    let Value::Map(mut map) = event else { return event };
    for (name, value) in [("id", id), ("status", action), ("from", Some("".into()))] {
        if let Some(value) = value.filter(|_| !map.iter().any(|(known, _)| known == name)) {
            map.push((name.to_owned(), value));
        }
    }
    Value::Map(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"Type":"container","Action":"die","Actor":{"ID":"6d81","Attributes":{"name":"w2","exitCode":"3"}},
        "scope":"local","time":1795513595,"timeNano":1795513595199014667}"#;

    #[test]
    fn an_event_is_a_line() {
        let line = text(&serde_json::from_str(EVENT).unwrap());
        assert!(line.ends_with(" container die 6d81 (exitCode=3, name=w2)"), "{line}");
        assert!(line.contains("35.199014667"), "{line}");
    }

    #[test]
    fn templates_find_the_old_names() {
        let data = Data::new(with_id(serde_json::from_str(EVENT).unwrap()));
        let template = Template::parse("{{.Status}} {{.ID}} {{.Actor.Attributes.name}}").unwrap();
        assert_eq!(template.render(&data).unwrap(), "die 6d81 w2");
    }
}
