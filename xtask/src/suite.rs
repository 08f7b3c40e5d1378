//! Every test, one command: install what is missing, build the fixtures and the binaries, run, count.
//!
//! A test that fails is run once more, alone. What passes then is counted, and named at the end as unsteady: machines
//! differ, and one such test must not hide what the other thousand say. An unsteady test is a bug all the same.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::{book, fixtures, guest, learn, packages, release, shell};

/// Runs the tests whose name contains `filter`, or all of them and the build of the book.
pub(crate) fn run(filter: Option<&str>) -> Result<()> {
    packages::install(packages::FIXTURES)?;
    packages::install(packages::PEERS)?;
    packages::install(&[packages::CLIENT])?;
    let fixtures = fixtures::build()?;
    let binaries = release::build()?;
    let cargo = || {
        let mut cargo = shell::cargo();
        cargo.arg("test").env("SKIFF_FIXTURES", &fixtures).env("SKIFF_BIN", &binaries);
        cargo
    };

    let mut report = Report::default();
    let passed = report.read(cargo().args(["--workspace", "--no-fail-fast"]).args(filter))?;
    if !passed && report.failed.is_empty() {
        bail!("the tests did not run to their end");
    }
    let first = std::mem::take(&mut report.failed);
    let before = report.passed;
    for target in std::mem::take(&mut report.targets) {
        println!("Once more, alone: {target}");
        report.read(cargo().args(target.split(' ')).args(["--", "--exact", "--test-threads=1"]).args(&first))?;
    }
    let again = usize::try_from(report.passed - before)? + report.failed.len();
    if again < first.len() {
        bail!("of {} tests that failed only {again} ran again: {}", first.len(), first.join(", "));
    }
    let mut failed = report.failed.clone();
    let mut workshop = Ok(());
    if filter.is_none() {
        let guest = guest::run(&["--workspace"], None)?;
        report.passed += guest.passed;
        failed.extend(guest.failed.iter().map(|name| format!("{name} (in the guest)")));
        workshop = learn::verify(&[])
            .and_then(|()| learn::rehearse("cg-unit"))
            .and_then(|()| book::check(None))
            .and_then(|()| book::browse(None));
    }
    for name in first.iter().filter(|name| !report.failed.contains(name)) {
        println!("unsteady, passed when run alone: {name}");
    }
    for name in &failed {
        println!("failed twice: {name}");
    }
    println!("{} passed, {} failed, {} skipped", report.passed, failed.len(), report.ignored);
    if !failed.is_empty() || !report.targets.is_empty() {
        bail!("{} tests failed", failed.len());
    }
    if report.passed == 0 {
        bail!("no test ran");
    }
    workshop
}

/// What `cargo test` said, over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Report {
    passed: u64,
    ignored: u64,
    /// The names of the tests that failed.
    failed: Vec<String>,
    /// Where they are, in the words that cargo takes: `-p network --lib`.
    targets: Vec<String>,
}

impl Report {
    /// Runs `cargo`, shows what it says, and adds it. Returns whether all was well.
    fn read(&mut self, cargo: &mut Command) -> Result<bool> {
        let mut child = cargo.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let errors = child.stderr.take().context("cargo's errors are not a pipe")?;
        let targets = thread::spawn(move || {
            let mut targets = Vec::new();
            lines(errors, |line| {
                eprintln!("{line}");
                targets.extend(target(line));
            })
            .map(|()| targets)
        });
        lines(child.stdout.take().context("cargo's output is not a pipe")?, |line| {
            println!("{line}");
            self.add(line);
        })?;
        match targets.join() {
            Ok(targets) => self.targets.extend(targets?),
            Err(_) => bail!("cannot read cargo's errors"),
        }
        Ok(child.wait()?.success())
    }

    /// Reads a line of a test program: `test NAME ... FAILED`, or `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
    fn add(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            let words: Vec<&str> = result.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
            for pair in words.windows(2) {
                match *pair {
                    [number, "passed"] => self.passed += number.parse::<u64>().unwrap_or(0),
                    [number, "ignored"] => self.ignored += number.parse::<u64>().unwrap_or(0),
                    _ => {}
                }
            }
        } else if let Some(name) = line.strip_prefix("test ").and_then(|line| line.strip_suffix(" ... FAILED")) {
            // Programs that expect a panic say so behind the name.
            self.failed.push(name.split(" - should panic").next().unwrap_or(name).to_owned());
        }
    }
}

/// Hands on each line of `from`; what is not UTF-8 in it is replaced.
fn lines(from: impl Read, mut each: impl FnMut(&str)) -> Result<()> {
    for line in BufReader::new(from).split(b'\n') {
        each(&String::from_utf8_lossy(&line?));
    }
    Ok(())
}

/// The target that one line of cargo's last words names, as in ``    `-p network --lib` ``.
fn target(line: &str) -> Option<String> {
    let words = line.strip_prefix("    `")?.strip_suffix('`')?;
    words.starts_with("-p ").then(|| words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Report, target};

    #[test]
    fn results_are_summed() {
        let mut report = Report::default();
        report.add("running 4 tests");
        report.add("test a::holds ... ok");
        report.add("test a::breaks ... FAILED");
        report.add("test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        report.add("test result: ok. 10 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s");
        let failed = vec!["a::breaks".to_owned()];
        assert_eq!(report, Report { passed: 13, ignored: 2, failed, targets: Vec::new() });
    }

    #[test]
    fn targets_are_what_cargo_lists_at_its_end() {
        assert_eq!(target("    `-p skiff-engine --test kernel`").as_deref(), Some("-p skiff-engine --test kernel"));
        assert_eq!(target("error: 1 target failed:"), None);
        assert_eq!(target("  |     `x`"), None);
    }
}
