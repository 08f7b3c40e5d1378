//! Every test, one command: install what is missing, build the fixtures and the binaries, run, count.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::{fixtures, packages, release, shell};

/// Runs the tests whose name contains `filter`, or all of them and the build of the book.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    packages::install(packages::FIXTURES)?;
    packages::install(packages::PEERS)?;
    packages::install(&[packages::CLIENT])?;
    let fixtures = fixtures::build()?;
    let binaries = release::build()?;

    let mut cargo = shell::cargo();
    cargo.args(["test", "--workspace", "--no-fail-fast"]).args(filter);
    cargo.env("SKIFF_FIXTURES", fixtures).env("SKIFF_BIN", binaries).stdout(Stdio::piped());
    let mut child = cargo.spawn()?;
    let mut total = Count::default();
    for line in BufReader::new(child.stdout.take().context("cargo's output is not a pipe")?).lines() {
        let line = line?;
        println!("{line}");
        total.add(&line);
    }
    let status = child.wait()?;
    if filter.is_none() {
        book()?;
    }
    println!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.ignored);
    if !status.success() || total.failed > 0 {
        bail!("{} tests failed", total.failed);
    }
    if total.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

/// Builds the book into `book/build`.
pub(crate) fn book() -> Result<()> {
    shell::run(shell::cargo().args(["run", "--quiet", "--package", "book"]))
}

/// The sum over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Count {
    /// Reads one `test result: ok. 3 passed; 0 failed; 0 ignored; …` line; other lines add nothing.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let words: Vec<&str> = result.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let [number, kind] = pair else { continue };
            let number = number.parse().unwrap_or(0);
            match *kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn results_are_summed() {
        let mut count = Count::default();
        count.add("running 4 tests");
        count.add("test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        count.add("test result: ok. 10 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        assert_eq!(count, Count { passed: 13, failed: 1, ignored: 2 });
    }
}
