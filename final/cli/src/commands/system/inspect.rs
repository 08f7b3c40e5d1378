//! `inspect`: everything about a thing, whatever kind of thing it is.

use clap::Args;

use super::{kernel, pretty};
use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit, container, image, network, volume};
use crate::error::{Error, Result};
use crate::output;
use crate::template::{Data, Template, Value};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// How to print it: json, or a template
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Say of containers also how much space they take up
    #[arg(short, long)]
    size: bool,
    /// Look among these only: container, image, network, volume
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Say what the kernel says about running containers, chapter by chapter
    #[arg(long)]
    kernel: bool,
    #[arg(required = true, hide = true, value_name = "NAME")]
    names: Vec<String>,
}

/// What a name may be the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Container,
    Image,
    Network,
    Volume,
}

/// In the order in which they are looked for.
const KINDS: [(&str, Kind); 4] =
    [("container", Kind::Container), ("image", Kind::Image), ("network", Kind::Network), ("volume", Kind::Volume)];

impl Execute for Inspect {
    const USAGE: &'static str = "[OPTIONS] NAME|ID [NAME|ID...]";
    const ABOUT: &'static str = "Show everything that is known about a thing of any kind";

    async fn execute(self, client: &Client) -> Result<Exit> {
        if self.kernel {
            return kernel::show(client, &self.names, self.format.as_deref()).await;
        }
        let kinds = match self.kind.as_deref() {
            None | Some("") => KINDS.map(|(_, kind)| kind).to_vec(),
            Some(name) => match KINDS.iter().find(|(known, _)| *known == name) {
                Some((_, kind)) => vec![*kind],
                None => {
                    return Err(unknown(name));
                }
            },
        };
        show(client, &self.names, &kinds, self.format.as_deref(), self.size).await
    }
}

/// Docker's list, though we have no swarm and no plugins to inspect.
fn unknown(kind: &str) -> Error {
    let all = r#""config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume""#;
    Error::new(format!("unknown type: \"{kind}\": must be one of {all}"))
        .hint("Here it is one of container, image, network, volume.")
}

/// Shows the things of these names. Those that exist are shown even when others do not.
pub(crate) async fn show(
    client: &Client,
    names: &[String],
    kinds: &[Kind],
    format: Option<&str>,
    size: bool,
) -> Result<Exit> {
    let template = match format.filter(|format| *format != "json") {
        // A template that makes no sense has docker's own exit status.
        Some(text) => Some(Template::parse(text).map_err(|fault| Error::from(fault).exit(64))?),
        None => None,
    };
    let mut documents = Vec::new();
    let mut errors = Vec::new();
    for name in names {
        match find(client, name, kinds, size).await {
            Ok(document) => documents.push(document),
            Err(error) => errors.push(error),
        }
    }
    let all = format!("[{}]", documents.join(","));
    match template {
        None if format.is_some() => output::line(parse(&all)?.to_json())?,
        None => output::print(pretty(&all))?,
        // As docker: an empty line where there is nothing to fill the template with.
        Some(_) if documents.is_empty() => output::line("")?,
        Some(template) => {
            for document in &documents {
                output::line(template.render(&Data::new(parse(document)?))?)?;
            }
        }
    }
    Error::all(errors).map(|()| DONE)
}

fn parse(document: &str) -> Result<Value> {
    serde_json::from_str(document)
        .map_err(|error| Error::new(format!("cannot understand the daemon's answer: {error}")))
}

/// The document of the first kind that has a thing of this name.
async fn find(client: &Client, name: &str, kinds: &[Kind], size: bool) -> Result<String> {
    let mut last = None;
    for kind in kinds {
        let request = match kind {
            Kind::Container => Request::get(format!("{}/json", container::path(name))).flag("size", size),
            Kind::Image => Request::get(format!("{}/json", image::path(name))),
            Kind::Network => Request::get(network::path(name)),
            Kind::Volume => Request::get(volume::path(name)),
        };
        match client.bytes(request).await {
            Ok(bytes) => return Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.is_not_found() => last = Some(error),
            // A name that cannot be that of an image may still be that of a volume.
            Err(error) if error.status == Some(400) && kinds.len() > 1 => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    match last {
        Some(error) if kinds.len() == 1 => Err(error),
        _ => Err(Error::new(format!("Error: No such object: {name}"))),
    }
}
