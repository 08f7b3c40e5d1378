//! `learn rehearse`: a learner that is a program. It has a clean clone of the checkout and does what the book says: it starts an
//! exercise, checks too early, reads a hint, gives a wrong answer that people give, writes the right one, and looks at the
//! reference. What it is told on the way must be right. After the exercises of a crate it runs a container with the
//! engine that is made of its own code.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::commands;
use super::desk::{self, Desk};
use super::exercise::Exercise;
use super::grade::Verdict;
use super::{copy, verify};
use crate::shell;

/// Starts a daemon and a container in namespaces that end with it.
const HELLO: &str = include_str!("hello.sh");

/// The cgroup below which the containers of the rehearsal have theirs.
const CGROUPS: &str = "skiff-rehearsal";

/// Does these exercises, or all; with `short` only the first of each crate. Goes on after a failure, and fails at the end.
pub(crate) fn run(root: &Path, ids: &[String], short: bool, engine: bool) -> Result<()> {
    let target = verify::target(root);
    let _lock = desk::lock(&target.join("learn/rehearsal.lock"), "another rehearsal")?;
    let tree = target.join("learn/rehearsal");
    clone(root, &tree)?;
    let mut learner = Desk::open(&tree)?;
    learner.target = Some(target.clone());
    for id in ids {
        learner.exercise(Some(id))?;
    }
    let chosen = choose(&learner.exercises, ids, short);
    println!("{:<20} {:<8} {:<8} {:<8} {:<8} {:<8} seconds", "rehearse", "empty", "hint", "wrong", "right", "solution");
    let mut findings = Vec::new();
    for (number, exercise) in chosen.iter().enumerate() {
        let began = Instant::now();
        let mut done = Vec::new();
        let reference = learner.region(exercise)?;
        if let Err(finding) = exercise_as_people_do(&mut learner, exercise, &reference, &mut done) {
            findings.push(format!("{}: {finding:#}", exercise.id));
            learner.replace(exercise, &reference)?;
        }
        done.resize(5, "NO");
        let cells: Vec<_> = done.iter().map(|cell| format!("{cell:<8}")).collect();
        println!("{:<20} {} {}", exercise.id, cells.join(" "), began.elapsed().as_secs());
        let last = chosen.get(number + 1).is_none_or(|next| next.package != exercise.package);
        if engine && last {
            let began = Instant::now();
            let ran = run_engine(&tree, &target);
            let says = if ran.is_ok() { "the engine runs with this learner's code" } else { "THE ENGINE DOES NOT RUN" };
            println!("{:<20} {says:<44} {}", exercise.package, began.elapsed().as_secs());
            findings.extend(ran.err().map(|finding| format!("the engine after {}: {finding:#}", exercise.id)));
        }
    }
    let status = commands::status(&Desk::open(&tree)?);
    let last = status.lines().last().unwrap_or_default();
    println!("rehearse: {last}");
    let all = format!("{0} of {0} passed, 100 %", learner.exercises.len());
    if chosen.len() == learner.exercises.len() && last != all {
        findings.push(format!("the status should be {all:?}"));
    }
    ensure!(!chosen.is_empty(), "there is nothing to rehearse");
    ensure!(findings.is_empty(), "the learner has not come through:\n{}", findings.join("\n"));
    Ok(())
}

/// What a learner has after `git clone`: the committed and new files, one commit, no `.learn`.
fn clone(root: &Path, tree: &Path) -> Result<()> {
    let _from_an_earlier_one = std::fs::remove_dir_all(tree.join(".learn"));
    let _its_repository = std::fs::remove_dir_all(tree.join(".git"));
    std::fs::create_dir_all(tree)?;
    copy::refresh(root, tree, "rehearsal")?;
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(tree).args(["-c", "user.name=learner", "-c", "user.email=learner@localhost"]).args(arguments);
        shell::run(&mut git)
    };
    git(&["init", "--quiet"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message", "As it was handed out"])
}

fn choose(all: &[Exercise], ids: &[String], short: bool) -> Vec<Exercise> {
    let mut chosen: Vec<Exercise> =
        all.iter().filter(|exercise| ids.is_empty() || ids.contains(&exercise.id)).cloned().collect();
    if short {
        chosen.dedup_by(|later, first| later.package == first.package);
    }
    chosen
}

/// One exercise, with everything that can be done wrong. `done` gets a word for each step that went as it should.
fn exercise_as_people_do(learner: &mut Desk, exercise: &Exercise, reference: &str, done: &mut Vec<&str>) -> Result<()> {
    let id = Some(exercise.id.as_str());
    let told = commands::start(learner, &exercise.id)?;
    ensure!(told.contains(&exercise.source().display().to_string()), "it is not said where to write: {told}");
    ensure!(commands::solution(learner, id, false).is_err(), "the solution is shown before anything was written");
    failed_with(&commands::check(learner, exercise)?, "The hole is still empty")?;
    done.push("told");

    let hint = commands::hint(learner, id)?;
    ensure!(hint.contains(exercise.hints[0].as_str()), "the first hint is not given: {hint}");
    done.push("given");

    let wrong = exercise.wrong.first().context("it has no wrong answer")?;
    learner.replace(exercise, &wrong.code)?;
    failed_with(&commands::check(learner, exercise)?, &wrong.says)?;
    done.push("told");

    learner.replace(exercise, reference)?;
    let verdict = commands::check(learner, exercise)?;
    ensure!(verdict == Verdict::Passed, "the right answer is not taken: {verdict}");
    done.push("passed");

    let shown = commands::solution(learner, id, false)?;
    ensure!(shown.contains("They are the same"), "the reference is not the right answer: {shown}");
    done.push("same");
    Ok(())
}

fn failed_with(verdict: &Verdict, cause: &str) -> Result<()> {
    match verdict {
        Verdict::Failed(finding) if finding.cause.contains(cause) => Ok(()),
        other => bail!("it should have been told {cause:?}, and was told {other}"),
    }
}

/// `skiff run --rm hello`, by the engine of this clone and a daemon of its own that sees no other.
fn run_engine(tree: &Path, target: &Path) -> Result<()> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(tree).env("CARGO_TARGET_DIR", target).env_remove("CARGO_MANIFEST_DIR").args(["build", "--quiet"]);
    shell::run(cargo.args(["-p", "skiff", "-p", "skiffd", "-p", "skiff-runtime"]))?;
    let place = tempfile::tempdir()?;
    let programs: PathBuf = target.join("debug");
    let mut apart = Command::new("unshare");
    apart.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", HELLO, "sh"]);
    let path = std::env::join_paths(
        std::iter::once(programs).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    let page = shell::output(apart.arg(place.path()).arg(CGROUPS).env("PATH", path));
    remove_cgroups()?;
    let page = page?;
    ensure!(page.contains("How I came to be"), "the container did not say hello: {page}");
    Ok(())
}

/// Removes the cgroup of the rehearsal from every hierarchy. A container's own in it makes this fail, and should: it was to be
/// given back. That happens a moment after the container's end.
fn remove_cgroups() -> Result<()> {
    let hierarchies = std::fs::read_dir("/sys/fs/cgroup")?.flatten().map(|entry| entry.path());
    let places: Vec<PathBuf> = hierarchies.chain(["/sys/fs/cgroup".into()]).map(|tree| tree.join(CGROUPS)).collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Some(place) = places.iter().find(|place| std::fs::remove_dir(place).is_err() && place.exists()) {
        ensure!(Instant::now() < deadline, "the cgroup {} is not empty", place.display());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
