//! The commands that look at or change one exercise. Each ends by saying what can be done next.

use std::process::Command;

use anyhow::{Result, bail};
use similar::{ChangeTag, TextDiff};

use super::Learn;
use super::desk::Desk;
use super::exercise::Exercise;
use super::grade::{self, Verdict};

/// Does one of them.
pub(crate) fn run(desk: &mut Desk, what: &Learn) -> Result<()> {
    match what {
        Learn::List => list(desk),
        Learn::Status => print!("{}", status(desk)),
        Learn::Start { id } => print!("{}", start(desk, id)?),
        Learn::Check { id } => {
            let exercise = desk.exercise(id.as_deref())?;
            let verdict = check(desk, &exercise)?;
            print!("{}", said(desk, &exercise, &verdict));
            if verdict != Verdict::Passed {
                bail!("{} is not there yet; `cargo xtask learn hint` helps", exercise.id);
            }
        }
        Learn::Hint { id } => print!("{}", hint(desk, id.as_deref())?),
        Learn::Solution { id, give_up } => print!("{}", solution(desk, id.as_deref(), *give_up)?),
        Learn::Reset { id } => {
            let exercise = desk.exercise(id.as_deref())?;
            let kept = desk.restore(&exercise)?;
            println!("{} is as it was.", exercise.source().display());
            print!("{}", told_kept(kept.as_deref()));
            desk.note(&exercise.id, |progress| progress.started = false)?;
            if desk.progress(&exercise.id).passed {
                println!("That you have passed it stays noted.");
            }
        }
        Learn::Watch { .. } | Learn::Export { .. } | Learn::Rehearse { .. } | Learn::Verify { .. } => {}
    }
    Ok(())
}

/// Chapter by chapter, in the order in which they build on each other.
fn list(desk: &Desk) {
    let mut package = "";
    for exercise in &desk.exercises {
        if exercise.package != package {
            package = &exercise.package;
            println!("\n{} ({})", package, exercise.directory.display());
        }
        let stars = "*".repeat(usize::from(exercise.stars));
        let root = if exercise.root { "  root" } else { "" };
        let passed = if desk.progress(&exercise.id).passed { "  passed" } else { "" };
        println!("  {:<18} {stars:<4} {:>3} min  {}{root}{passed}", exercise.id, exercise.minutes, exercise.title);
    }
    println!("\n`cargo xtask learn start ID` takes the piece out of the source.");
}

/// Every exercise that was begun, and the share that is done.
pub(crate) fn status(desk: &Desk) -> String {
    let begun = |exercise: &Exercise| {
        let progress = desk.progress(&exercise.id);
        let word = match (progress.passed, progress.gave_up, progress.started) {
            (true, true, _) => "passed, with the solution",
            (true, false, _) => "passed",
            (false, _, true) => "begun",
            _ => return None,
        };
        Some(format!("  {:<18} {word}, {} of 3 hints\n", exercise.id, progress.hints))
    };
    let lines: String = desk.exercises.iter().filter_map(begun).collect();
    let passed = desk.exercises.iter().filter(|exercise| desk.progress(&exercise.id).passed).count();
    let all = desk.exercises.len();
    format!("{lines}{passed} of {all} passed, {} %\n", passed * 100 / all.max(1))
}

/// Makes the hole, and says what is to be written, who judges it, and what to read.
pub(crate) fn start(desk: &mut Desk, id: &str) -> Result<String> {
    let exercise = desk.exercise(Some(id))?;
    let kept = desk.punch(&exercise)?;
    desk.note(id, |progress| {
        progress.started = true;
        // What was passed stays passed; but a pass with the solution in hand may be done better.
        progress.passed &= !progress.gave_up;
        progress.gave_up = false;
    })?;
    let (source, line) = (exercise.source(), desk.line(&exercise)?);
    let lines = [
        format!("{id}: {}, about {} minutes\n", exercise.title, exercise.minutes),
        format!("  write     {}:{line}, up to `// END SOLUTION`\n", source.display()),
        format!("  graded    {}{}\n", exercise.looks_at, if exercise.root { " (needs root)" } else { "" }),
        format!("  read      {}\nThen: cargo xtask learn check\n", exercise.read),
    ];
    Ok(told_kept(kept.as_deref()) + &lines.concat())
}

/// Runs the graded test and notes a success, if it is the learner's: where no hole was made, the reference is judged.
pub(crate) fn check(desk: &mut Desk, exercise: &Exercise) -> Result<Verdict> {
    if exercise.root && !is_root()? {
        bail!(
            "the test of {} asks the kernel and must run as root: sudo -E env PATH=$PATH cargo xtask learn check",
            exercise.id
        );
    }
    let _alone = desk.alone()?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The cargo that runs us has told us about our own package; the tests are not to take that for theirs.
    cargo.current_dir(&desk.root).env_remove("CARGO_MANIFEST_DIR").env("INSTA_UPDATE", "no").env("NO_COLOR", "1");
    cargo.envs(desk.target.as_ref().map(|target| ("CARGO_TARGET_DIR", target)));
    let output = cargo.args(["--color", "never"]).args(exercise.cargo_test()).output()?;
    let text = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    let verdict = grade::grade(exercise, &text);
    if verdict == Verdict::Passed && is_learners(desk, exercise) {
        desk.note(&exercise.id, |progress| (progress.started, progress.passed) = (true, true))?;
    }
    Ok(verdict)
}

/// Whether the source has what the learner wrote, and not the reference.
fn is_learners(desk: &Desk, exercise: &Exercise) -> bool {
    desk.class || desk.progress(&exercise.id).started
}

/// The verdict under the exercise's name.
pub(crate) fn said(desk: &Desk, exercise: &Exercise, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Passed if !is_learners(desk, exercise) => {
            let id = &exercise.id;
            format!(
                "{id}: passes, with the reference. `cargo xtask learn start {id}` takes it out, for you to write.\n"
            )
        }
        Verdict::Passed if desk.class => format!("{}: passed\n", exercise.id),
        Verdict::Passed => {
            format!("{}: passed. `cargo xtask learn solution` shows the reference beside yours.\n", exercise.id)
        }
        verdict => format!("{}: not yet\n{verdict}", exercise.id),
    }
}

/// The next hint and those before it.
pub(crate) fn hint(desk: &mut Desk, id: Option<&str>) -> Result<String> {
    let exercise = desk.exercise(id)?;
    desk.note(&exercise.id, |progress| progress.hints = (progress.hints + 1).min(exercise.hints.len()))?;
    let shown = desk.progress(&exercise.id).hints;
    let numbered = exercise.hints.iter().enumerate().take(shown);
    let lines: Vec<_> = numbered.map(|(number, hint)| format!("  {} of 3  {hint}\n", number + 1)).collect();
    let more = if shown < exercise.hints.len() {
        ""
    } else {
        "That was the last one. `learn solution --give-up` is no shame.\n"
    };
    Ok(format!("{}\n{}{more}", exercise.id, lines.concat()))
}

/// The difference from the learner's own to the reference; with `give_up` the reference takes its place.
pub(crate) fn solution(desk: &mut Desk, id: Option<&str>, give_up: bool) -> Result<String> {
    let exercise = desk.exercise(id)?;
    let progress = desk.progress(&exercise.id);
    if !progress.passed && !give_up {
        bail!("{} has not passed yet; `--give-up` shows the solution all the same", exercise.id);
    }
    let (own, reference) = (desk.region(&exercise)?, desk.reference(&exercise)?);
    let mut lines = vec![format!("{} (- yours, + the reference)\n", exercise.id)];
    if own == reference {
        lines.push("They are the same, letter by letter.\n".to_owned());
    }
    for change in TextDiff::from_lines(&own, &reference).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        lines.push(format!("{sign}{change}"));
    }
    if give_up && !progress.passed {
        let kept = desk.restore(&exercise)?;
        desk.note(&exercise.id, |progress| progress.gave_up = true)?;
        lines.push("The reference is in the source now. Read it, then: cargo xtask learn check\n".to_owned());
        lines.extend(kept.map(|kept| format!("What you wrote is kept in {}\n", kept.display())));
    }
    Ok(lines.concat())
}

/// Where earlier work is, if there was any.
fn told_kept(kept: Option<&std::path::Path>) -> String {
    kept.map(|kept| format!("What was written there is kept in {}\n", kept.display())).unwrap_or_default()
}

fn is_root() -> Result<bool> {
    Ok(crate::shell::output(Command::new("id").arg("-u"))? == "0")
}
