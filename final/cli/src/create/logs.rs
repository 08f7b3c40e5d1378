//! Where the container's output is kept.

use bollard_stubs::models::{HostConfig, HostConfigLogConfig};
use clap::Args;

use crate::error::{Error, Result};
use crate::grammar::key_value;

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logs")]
pub(crate) struct Logs {
    /// How to keep the output, such as json-file or none
    #[arg(long = "log-driver", value_name = "DRIVER")]
    driver: Option<String>,
    /// Option of that, such as max-size=10m
    #[arg(long = "log-opt", value_name = "OPTION")]
    options: Vec<String>,
}

impl Logs {
    /// Puts the flags in their places.
    pub(super) fn apply(&self, host: &mut HostConfig) -> Result<()> {
        if self.driver.as_deref() == Some("none") && !self.options.is_empty() {
            return Err(Error::new("invalid logging opts for driver none"));
        }
        if self.driver.is_some() || !self.options.is_empty() {
            let options = key_value::map(&self.options);
            host.log_config = Some(HostConfigLogConfig { typ: self.driver.clone(), config: Some(options) });
        }
        Ok(())
    }
}
