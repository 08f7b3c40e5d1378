//! Other people's test suites, run against a fresh `skiffd`, or with `skiff-runtime` in the place of another runtime:
//! `cargo xtask suites NAME`.
//!
//! Nothing of a suite is in the repository. It is fetched by its own client (pip, npm, apt-get source) into the target
//! directory, once. It runs against a daemon with roots and a network namespace of its own (`skiff_tests::Daemon`), which must
//! leave nothing behind; suites of runtimes need no daemon. What is ours is one list per suite, `tests/suites/NAME.toml`: the
//! tests that are not expected to pass, grouped by the reason. The list is checked in both directions: a test that fails and
//! is not in it fails the command, and so does one that is in it and passes, so the list cannot become an excuse.
//!
//! ```toml
//! [ran]                # the last run, for the book's page; `tests` without those that are not run
//! date = "2026-11-24"
//! tests = 238
//! passed = 211
//! skipped = 4
//! [[skip]]             # not run at all: beginnings of names
//! why = "needs a swarm"
//! tests = ["api_swarm_test.py"]
//! [[fail]]             # run, and expected to fail: whole names
//! why = "the words of docker before 25"
//! tests = ["api_container_test.py::CreateContainerTest::test_create_with_restart_policy"]
//! ```
//!
//! To add a suite:
//! 1. a file beside this one with a function that fetches it (a second call finds what is there), runs it, and returns an
//!    [`Outcome`] for each test by the name that the suite itself gives it; `docker_py.rs` is the example;
//! 2. a line in [`SUITES`];
//! 3. `tests/suites/NAME.toml`. Run the suite against a dockerd first: what fails there says nothing about us.
//!
//! The command needs the network, so no other command runs it.

mod daemon;
mod debian;
mod docker_py;
mod known;
mod oci;
mod python;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use self::known::Known;
use crate::{fixtures, packages, release, shell};

/// A suite of somebody else.
struct Suite {
    name: &'static str,
    /// What it is, for the table.
    what: &'static str,
    run: fn(&Bench) -> Result<Outcomes>,
}

const SUITES: &[Suite] = &[
    Suite {
        name: "docker-py",
        what: "docker-py 7's client, docker-py's own integration tests",
        run: docker_py::newest,
    },
    Suite { name: "docker-py-6", what: "the same tests with the client they came with", run: docker_py::with_tests },
    Suite { name: "runc", what: "runc's integration tests, with skiff-runtime as runc", run: oci::runc },
    Suite { name: "crun", what: "crun's tests, with skiff-runtime as crun", run: oci::crun },
];

/// What a suite is run with.
struct Bench {
    /// Where the suite is fetched to and may keep what it makes.
    directory: PathBuf,
    /// Beginnings of the names of tests that are not run.
    skip: Vec<String>,
}

/// How the tests of a suite ended, by name.
type Outcomes = BTreeMap<String, Outcome>;

/// How one test ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    /// The suite itself did not run it, or expects it to fail.
    Skipped,
    /// With what it said, on one line.
    Failed(String),
}

/// Runs the suite called `name`, or names them all.
pub(crate) fn run(name: Option<&str>) -> Result<()> {
    let Some(name) = name else {
        for suite in SUITES {
            println!("{:<14} {}", suite.name, suite.what);
        }
        return Ok(());
    };
    let suite = SUITES.iter().find(|suite| suite.name == name);
    let suite = suite.with_context(|| format!("there is no suite {name}; `cargo xtask suites` names them"))?;
    prepare()?;
    let known = Known::read(&list(suite.name))?;
    let bench = Bench { directory: directory().join(suite.name), skip: known.skipped() };
    std::fs::create_dir_all(&bench.directory)?;
    let began = Instant::now();
    let outcomes = (suite.run)(&bench)?;
    report(suite, &known, &outcomes, began.elapsed().as_secs())
}

/// What every suite needs: packages, images, binaries.
fn prepare() -> Result<()> {
    packages::install(packages::FIXTURES)?;
    packages::install(packages::PEERS)?;
    packages::install(&[packages::CLIENT])?;
    fixtures::build()?;
    // Binaries that are named are taken: debug ones are built sooner.
    if std::env::var_os("SKIFF_BIN").is_none() {
        release::build()?;
    }
    Ok(())
}

/// Below the target directory: what is fetched is as easy to delete as what is built.
fn directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), PathBuf::from);
    target.join("suites")
}

fn list(name: &str) -> PathBuf {
    // The client does not decide what the engine lacks: variants of a suite share the list.
    let name = name.strip_suffix("-6").unwrap_or(name);
    shell::root().join(format!("tests/suites/{name}.toml"))
}

/// Prints how it went, and fails when the list says something else.
fn report(suite: &Suite, known: &Known, outcomes: &Outcomes, seconds: u64) -> Result<()> {
    if outcomes.is_empty() {
        bail!("no test of {} has run", suite.name);
    }
    let count = |wanted: fn(&Outcome) -> bool| outcomes.values().filter(|outcome| wanted(outcome)).count();
    let passed = count(|outcome| *outcome == Outcome::Passed);
    let skipped = count(|outcome| *outcome == Outcome::Skipped);
    let judged = known.judge(outcomes);
    for (name, said) in &judged.unexpected {
        println!("FAILED    {name}\n          {said}");
    }
    for name in &judged.outdated {
        println!("PASSES    {name}: take it from the list");
    }
    println!("\n{:<9} {:>6} {:>8} {:>8}   reason", "", "tests", "expected", "not");
    println!("{:<9} {passed:>6} {passed:>8} {:>8}", "passed", "");
    println!("{:<9} {:>6} {:>8} {:>8}", "failed", judged.failed(), judged.expected(), judged.unexpected.len());
    for (why, number) in &judged.reasons {
        println!("{:<9} {:>6} {number:>8} {:>8}   {why}", "", "", "");
    }
    println!("{:<9} {skipped:>6} {skipped:>8} {:>8}   by the suite itself", "skipped", "");
    for (why, what) in known.reasons_to_skip() {
        println!("{:<9} {:>6} {:>8} {:>8}   {why}: {what}", "not run", "", "", "");
    }
    println!("{}: {} tests in {seconds} s", suite.name, outcomes.len());
    if suite.name == known.name()
        && known
            .ran
            .as_ref()
            .is_none_or(|ran| (ran.tests, ran.passed, ran.skipped) != (outcomes.len(), passed, skipped))
    {
        println!("The book should say so: {}, [ran]", known.file.display());
    }
    match judged.unexpected.len() + judged.outdated.len() {
        0 => Ok(()),
        differences => {
            bail!("{differences} tests of {} ended otherwise than {} says", suite.name, known.file.display())
        }
    }
}

/// Makes `directory/name` by calling `make` with a scratch directory in its place, unless it is there already.
fn once(directory: &Path, name: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let place = directory.join(name);
    if !place.exists() {
        std::fs::create_dir_all(directory)?;
        let scratch = tempfile::tempdir_in(directory)?;
        make(scratch.path())?;
        std::fs::rename(scratch.keep(), &place)?;
    }
    Ok(place)
}
