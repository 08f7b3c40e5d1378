//! `doctor`: what the engine needs of this machine, and whether it is there. It asks the kernel and no daemon.

use clap::Args;
use doctor::{Machine, State, examine, report};

use crate::client::Client;
use crate::commands::{DONE, Execute, Exit};
use crate::error::Result;
use crate::output;

/// The arguments: there are none.
#[derive(Debug, Args)]
pub(crate) struct Doctor {}

impl Execute for Doctor {
    const USAGE: &'static str = "";
    const ABOUT: &'static str = "Check what the engine needs of this machine, and say how to mend what is missing";

    async fn execute(self, _client: &Client) -> Result<Exit> {
        let findings = examine(&Machine::this());
        output::line(report(&findings))?;
        let missing = findings.iter().any(|finding| finding.state == State::Missing);
        Ok(if missing { Exit(1) } else { DONE })
    }
}
