//! The health check: a command that is run inside from time to time.

use bollard_stubs::models::{ContainerCreateBody, HealthConfig};
use clap::Args;

use crate::error::{Error, Result};
use crate::grammar::duration;

/// The flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Health")]
pub(crate) struct Health {
    /// Command that says whether all is well
    #[arg(long = "health-cmd", value_name = "COMMAND")]
    command: Option<String>,
    /// Time between two checks (default 30s)
    #[arg(long = "health-interval", value_name = "DURATION", value_parser = duration::parse)]
    interval: Option<i64>,
    /// Failures in a row until the container is unhealthy
    #[arg(long = "health-retries", value_name = "TIMES")]
    retries: Option<i64>,
    /// Time in the beginning in which failures do not count
    #[arg(long = "health-start-period", value_name = "DURATION", value_parser = duration::parse)]
    start_period: Option<i64>,
    /// Time between two checks in that time
    #[arg(long = "health-start-interval", value_name = "DURATION", value_parser = duration::parse)]
    start_interval: Option<i64>,
    /// Time that a check may take
    #[arg(long = "health-timeout", value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<i64>,
    /// Do without the health check of the image
    #[arg(long)]
    no_healthcheck: bool,
}

impl Health {
    /// Puts the flags in their places.
    pub(super) fn apply(&self, body: &mut ContainerCreateBody) -> Result<()> {
        let check = HealthConfig {
            test: self.command.clone().map(|command| vec!["CMD-SHELL".to_owned(), command]),
            interval: self.interval,
            timeout: self.timeout,
            retries: self.retries,
            start_period: self.start_period,
            start_interval: self.start_interval,
        };
        let given = check != HealthConfig::default();
        if self.no_healthcheck {
            if given {
                return Err(Error::new("--no-healthcheck conflicts with --health-* options"));
            }
            body.healthcheck = Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..check });
            return Ok(());
        }
        let signed = [
            ("--health-interval", self.interval),
            ("--health-timeout", self.timeout),
            ("--health-retries", self.retries),
            ("--health-start-period", self.start_period),
            ("--health-start-interval", self.start_interval),
        ];
        if let Some((flag, _)) = signed.iter().find(|(_, value)| value.is_some_and(|value| value < 0)) {
            return Err(Error::new(format!("{flag} cannot be negative")));
        }
        body.healthcheck = given.then_some(check);
        Ok(())
    }
}
