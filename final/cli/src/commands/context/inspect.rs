//! `context inspect`: everything about contexts.

use clap::Args;
use serde_json::json;

use crate::client::Client;
use crate::commands::system::pretty;
use crate::commands::{DONE, Execute, Exit};
use crate::context::DEFAULT;
use crate::error::{Error, Result};
use crate::output;
use crate::template::{Data, Template, html_safe};

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// How to print it: json, or a template
    #[arg(short, long, value_name = "TEMPLATE")]
    format: Option<String>,
    #[arg(hide = true, value_name = "CONTEXT")]
    names: Vec<String>,
}

impl Execute for Inspect {
    const USAGE: &'static str = "[OPTIONS] [CONTEXT] [CONTEXT...]";
    const ABOUT: &'static str = "Show everything about contexts";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let chosen = std::slice::from_ref(&client.contexts.chosen);
        let names = if self.names.is_empty() { chosen } else { self.names.as_slice() };
        let template = match self.format.as_deref().filter(|format| *format != "json") {
            Some(text) => Some(Template::parse(text).map_err(|fault| Error::from(fault).exit(64))?),
            None => None,
        };
        let mut documents = Vec::new();
        let mut errors = Vec::new();
        for name in names {
            match document(client, name) {
                Ok(document) => documents.push(document),
                Err(error) => errors.push(error),
            }
        }
        match template {
            None => output::print(html_safe(&pretty(&format!("[{}]", documents.join(",")))))?,
            Some(template) => {
                for document in &documents {
                    let value = serde_json::from_str(document).map_err(|error| Error::new(error.to_string()))?;
                    output::line(template.render(&Data::new(value))?)?;
                }
            }
        }
        Error::all(errors).map(|()| DONE)
    }
}

/// A context in docker's shape.
fn document(client: &Client, name: &str) -> Result<String> {
    let store = &client.contexts.store;
    let context = super::read(client, name)?;
    let keep =
        |path: std::path::PathBuf| if name == DEFAULT { "<IN MEMORY>".to_owned() } else { path.display().to_string() };
    let files: Vec<String> = store.read_tls(name)?.into_iter().map(|(file, _)| file).collect();
    let material = if files.is_empty() { json!({}) } else { json!({ "docker": files }) };
    let parts = [
        ("Name", json!(context.name)),
        ("Metadata", json!(context.metadata)),
        ("Endpoints", json!(context.endpoints)),
        ("TLSMaterial", material),
        ("Storage", json!({ "MetadataPath": keep(store.meta(name)), "TLSPath": keep(store.tls(name)) })),
    ];
    let members: Vec<String> = parts.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    Ok(format!("{{{}}}", members.join(",")))
}
