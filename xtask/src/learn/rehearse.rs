//! `learn rehearse`: a learner that is a program. It has a clean clone of the checkout and does what the book says: it starts an
//! exercise, checks too early, reads a hint, gives a wrong answer that people give, writes the right one, and looks at the
//! reference. What it is told on the way must be right. After the exercises of a crate it runs a container with the
//! engine that is made of its own code.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use super::commands;
use super::desk::{self, Desk};
use super::exercise::Exercise;
use super::grade::Verdict;
use super::{copy, verify};
use crate::shell;

/// Does these exercises, or all; with `short` only the first of each crate.
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
    for (number, exercise) in chosen.iter().enumerate() {
        let began = Instant::now();
        exercise_as_people_do(&mut learner, exercise).with_context(|| format!("the exercise {}", exercise.id))?;
        println!("rehearse: {:<20} passed in {} s", exercise.id, began.elapsed().as_secs());
        let last = chosen.get(number + 1).is_none_or(|next| next.package != exercise.package);
        if engine && last {
            run_engine(&tree, &target).with_context(|| format!("the engine after {}", exercise.id))?;
            println!("rehearse: {:<20} the engine runs with the code of this learner", exercise.package);
        }
    }
    let passed =
        chosen.iter().filter(|exercise| Desk::open(&tree).is_ok_and(|desk| desk.progress(&exercise.id).passed));
    let (passed, all) = (passed.count(), chosen.len());
    println!("rehearse: {passed} of {all} passed, {} %", passed * 100 / all.max(1));
    ensure!(passed == all && all > 0, "the learner has not come through");
    Ok(())
}

/// What a learner has after `git clone`: the committed and new files, one commit, no `.learn`.
fn clone(root: &Path, tree: &Path) -> Result<()> {
    let _from_an_earlier_one = std::fs::remove_dir_all(tree.join(".learn"));
    let _its_repository = std::fs::remove_dir_all(tree.join(".git"));
    std::fs::create_dir_all(tree)?;
    copy::refresh(root, tree)?;
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

/// One exercise, with everything that can be done wrong.
fn exercise_as_people_do(learner: &mut Desk, exercise: &Exercise) -> Result<()> {
    let id = Some(exercise.id.as_str());
    let reference = learner.region(exercise)?;
    commands::start(learner, &exercise.id)?;
    ensure!(commands::solution(learner, id, false).is_err(), "the solution is shown before anything was written");

    failed_with(&commands::check(learner, exercise)?, "The hole is still empty")?;
    let hint = commands::hint(learner, id)?;
    ensure!(hint.contains(exercise.hints[0].as_str()), "the first hint is not given: {hint}");

    let wrong = exercise.wrong.first().context("it has no wrong answer")?;
    learner.replace(exercise, &wrong.code)?;
    failed_with(&commands::check(learner, exercise)?, &wrong.says)?;

    learner.replace(exercise, &reference)?;
    let verdict = commands::check(learner, exercise)?;
    ensure!(verdict == Verdict::Passed, "the right answer is not taken: {verdict}");
    let shown = commands::solution(learner, id, false)?;
    ensure!(shown.contains("They are the same"), "the reference is not the right answer: {shown}");
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
    let script = "ip link set lo up && skiffd --data-root $1/data --exec-root $1/run -H unix://$1/socket \
                  --cgroup-parent skiff-rehearsal > $1/log 2>&1 & \
                  n=0; until skiff -H unix://$1/socket ps > /dev/null 2>&1 || [ $n = 600 ]; do n=$((n+1)); sleep 0.1; done; \
                  skiff -H unix://$1/socket run --rm hello || { cat $1/log; exit 1; }";
    let mut apart = Command::new("unshare");
    apart.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh"]);
    let path = std::env::join_paths(
        std::iter::once(programs).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    let page = shell::output(apart.arg(place.path()).env("PATH", path))?;
    ensure!(page.contains("How I came to be"), "the container did not say hello: {page}");
    Ok(())
}
