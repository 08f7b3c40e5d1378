//! What comes from PyPI, by pip: packages into a virtual environment, sources as archives; and what pytest says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::{Outcome, Outcomes, once};
use crate::shell;

/// A virtual environment with these packages at `directory/name`. Returns its Python.
pub(super) fn environment(directory: &Path, name: &str, packages: &[&str]) -> Result<PathBuf> {
    let made = directory.join(name);
    // Programs of an environment know their place, so it is made where it stays, and counts when the last step is done.
    let done = made.join("complete");
    if !done.exists() {
        shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&made))?;
        shell::run(Command::new(made.join("bin/pip")).args(["install", "--quiet", "pip"]).args(packages))?;
        std::fs::write(&done, "")?;
    }
    Ok(made.join("bin/python"))
}

/// The source archive of `package==version`, unpacked into `directory`. Returns where.
pub(super) fn source(directory: &Path, python: &Path, package: &str, version: &str) -> Result<PathBuf> {
    once(directory, &format!("{package}-{version}"), |scratch| {
        let mut download = Command::new(python);
        download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]);
        download.arg("--dest").arg(scratch).arg(format!("{package}=={version}"));
        shell::run(&mut download)?;
        let mut archives = std::fs::read_dir(scratch)?;
        let archive = archives.next().context("pip has downloaded nothing")??.path();
        shell::run(Command::new("tar").args(["--strip-components=1", "-C"]).arg(scratch).arg("-xf").arg(archive))
    })
}

/// Runs pytest and reads its report: `PASSED NAME`, `FAILED NAME - WHY`. Names begin below `below`.
pub(super) fn pytest(command: &mut Command, below: &str, skip: &[String]) -> Result<Outcomes> {
    command.args(["-q", "-p", "no:cacheprovider", "--tb=no", "-rpfEsxX", below]);
    for name in skip {
        command.arg(format!("--deselect={below}/{name}"));
    }
    // As wide as this the reasons are whole.
    let output = command.env("COLUMNS", "400").stderr(Stdio::inherit()).output().context("cannot start pytest")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let outcomes: Outcomes = text.lines().filter_map(|line| outcome(line, below)).collect();
    if outcomes.is_empty() {
        print!("{text}");
    }
    Ok(outcomes)
}

fn outcome(line: &str, below: &str) -> Option<(String, Outcome)> {
    let (word, rest) = line.split_once(' ')?;
    let (name, said) = rest.split_once(" - ").unwrap_or((rest, ""));
    let name = name.strip_prefix(below)?.trim_start_matches('/').to_owned();
    let outcome = match word {
        "PASSED" | "XPASS" => Outcome::Passed,
        "FAILED" | "ERROR" => Outcome::Failed(said.to_owned()),
        "XFAIL" => Outcome::Skipped,
        _ => return None,
    };
    Some((name, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pytest_is_read_line_by_line() {
        let read = |line| outcome(line, "tests/integration");
        let name = "api_test.py::Some::test_it".to_owned();
        assert_eq!(read("PASSED tests/integration/api_test.py::Some::test_it"), Some((name.clone(), Outcome::Passed)));
        let failed = "FAILED tests/integration/api_test.py::Some::test_it - AssertionError: 1 - 2";
        assert_eq!(read(failed), Some((name, Outcome::Failed("AssertionError: 1 - 2".into()))));
        assert_eq!(read("12 passed in 3s"), None);
        assert_eq!(read("PASSED elsewhere/test.py::x"), None);
    }
}
