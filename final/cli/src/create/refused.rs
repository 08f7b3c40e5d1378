//! Flags that docker has and we have not: accepted by name, so that the answer is a reason and not "unknown flag".

use clap::Args;

use crate::error::{Error, Result};

/// The flags, none of which is shown in the help.
#[derive(Debug, Args)]
pub(crate) struct Refused {
    #[arg(long, hide = true)]
    gpus: Option<String>,
    #[arg(long, hide = true)]
    isolation: Option<String>,
    #[arg(long, hide = true)]
    cpu_count: Option<String>,
    #[arg(long, hide = true)]
    cpu_percent: Option<String>,
    #[arg(long, hide = true)]
    io_maxbandwidth: Option<String>,
    #[arg(long, hide = true)]
    io_maxiops: Option<String>,
    #[arg(long, hide = true)]
    disable_content_trust: bool,
}

/// Why a flag of Windows does nothing here.
const WINDOWS: &str = "it is for containers of Windows";

impl Refused {
    /// The first refused flag as an error. `--isolation default` and the trust flag ask for nothing.
    pub(super) fn check(&self) -> Result<()> {
        let isolation = self.isolation.as_deref().is_some_and(|mode| !matches!(mode, "" | "default"));
        let given = [
            (
                self.gpus.is_some(),
                "--gpus",
                "handing out GPUs needs a vendor's runtime hook, which Skiff does not call",
            ),
            (isolation, "--isolation", WINDOWS),
            (self.cpu_count.is_some(), "--cpu-count", WINDOWS),
            (self.cpu_percent.is_some(), "--cpu-percent", WINDOWS),
            (self.io_maxbandwidth.is_some(), "--io-maxbandwidth", WINDOWS),
            (self.io_maxiops.is_some(), "--io-maxiops", WINDOWS),
        ];
        match given.iter().find(|(given, ..)| *given) {
            Some((_, flag, why)) => Err(Error::new(format!("{flag} is not supported: {why}")).hint(instead(flag))),
            None => Ok(()),
        }
    }
}

/// What to use in its place.
fn instead(flag: &str) -> &'static str {
    match flag {
        "--gpus" => "Pass the devices themselves with --device.",
        "--cpu-count" | "--cpu-percent" => "Use --cpus.",
        "--io-maxbandwidth" => "Use --device-read-bps and --device-write-bps.",
        "--io-maxiops" => "Use --device-read-iops and --device-write-iops.",
        _ => "Leave it out.",
    }
}
