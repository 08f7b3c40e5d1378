//! Who the container is: name, labels, image.

use std::path::{Path, PathBuf};

use bollard_stubs::models::{ContainerCreateBody, HostConfig};
use clap::{Args, ValueEnum};

use super::read_file;
use crate::error::{Error, Result};
use crate::grammar::key_value;

/// When to pull the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pull {
    /// Before every container.
    Always,
    /// When it is not here.
    Missing,
    /// Not even then.
    Never,
}

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Identity")]
pub(crate) struct Identity {
    /// Name of the container; one is made up without it
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Host name inside
    #[arg(short = 'h', long, value_name = "NAME")]
    hostname: Option<String>,
    /// Domain name inside
    #[arg(long, value_name = "NAME")]
    domainname: Option<String>,
    /// Label to set, NAME=VALUE (may be given several times)
    #[arg(short, long = "label", value_name = "LABEL", value_parser = label)]
    labels: Vec<String>,
    /// File with one label per line
    #[arg(long = "label-file", value_name = "FILE")]
    label_files: Vec<PathBuf>,
    /// Annotation for the OCI runtime, NAME=VALUE
    #[arg(long = "annotation", value_name = "ANNOTATION")]
    annotations: Vec<String>,
    /// File to write the container's id to; it must not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) cidfile: Option<PathBuf>,
    /// Platform of the image, such as linux/arm64
    #[arg(long, value_name = "PLATFORM", env = "DOCKER_DEFAULT_PLATFORM", hide_env = true)]
    pub(crate) platform: Option<String>,
    /// When to pull the image: always, missing (the default), never
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value = "missing",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(crate) pull: Pull,
    /// Say nothing while the image is pulled
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

impl Identity {
    /// Puts the flags in their places.
    pub(super) fn apply(&self, body: &mut ContainerCreateBody, host: &mut HostConfig) -> Result<()> {
        body.hostname.clone_from(&self.hostname);
        body.domainname.clone_from(&self.domainname);
        let mut labels = Vec::new();
        for file in &self.label_files {
            labels.extend(
                key_value::file(&read_file(file)?, |_| Some(String::new())).map_err(|why| in_file(file, &why))?,
            );
        }
        labels.extend(self.labels.iter().cloned());
        body.labels = Some(key_value::map(labels)).filter(|labels| !labels.is_empty());
        host.annotations = Some(key_value::map(&self.annotations)).filter(|annotations| !annotations.is_empty());
        host.container_id_file = self.cidfile.as_ref().map(|file| file.to_string_lossy().into_owned());
        Ok(())
    }
}

/// A label must have a name.
fn label(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('=') {
        Err(format!("invalid label '{text}': empty name"))
    } else {
        Ok(text.to_owned())
    }
}

fn in_file(file: &Path, why: &str) -> Error {
    Error::new(format!("cannot use {}: {why}", file.display()))
}
