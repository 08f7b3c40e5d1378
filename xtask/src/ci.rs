//! What must pass before a change lands, in the order that fails soonest.

use anyhow::Result;

use crate::{shell, suite, tidy};

/// Format, tidy, lints, tests.
pub(crate) fn run() -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    shell::run(shell::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
    suite::run(None)
}
