//! `volume create`: a place for files that outlives containers.

use std::collections::HashMap;

use bollard_stubs::models::VolumeCreateOptions;
use clap::Args;
use serde::Deserialize;

use crate::client::{Client, Request};
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::grammar::key_value;
use crate::output;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Kind of volume
    #[arg(short, long, value_name = "DRIVER", default_value = "local")]
    driver: String,
    /// Label to set, NAME=VALUE
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// Option for the driver, such as type=tmpfs
    #[arg(short, long = "opt", value_name = "OPTION", value_parser = key_value::pair)]
    options: Vec<(String, String)>,
    /// The name, as it was given long ago
    #[arg(long = "name", hide = true, value_name = "VOLUME")]
    old_name: Option<String>,
    #[arg(hide = true, value_name = "VOLUME")]
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    name: String,
}

impl Execute for Create {
    const USAGE: &'static str = "[OPTIONS] [VOLUME]";
    const ABOUT: &'static str = "Make a volume";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let body = VolumeCreateOptions {
            name: self.name.or(self.old_name),
            driver: Some(self.driver),
            driver_opts: Some(self.options.into_iter().collect()).filter(|options: &HashMap<_, _>| !options.is_empty()),
            labels: Some(key_value::map(&self.labels)).filter(|labels| !labels.is_empty()),
            ..VolumeCreateOptions::default()
        };
        let created: Created = client.json(Request::post("/volumes/create").json(&body)?).await?;
        output::line(created.name)?;
        Ok(DONE)
    }
}
