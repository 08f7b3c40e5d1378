//! `learn verify`: the proof that every hole is a good one. It works in a copy of the checkout, below the target directory.
//!
//! 1. With *all* holes open the whole workspace compiles without warnings. Then it does so with any one of them: a hole only
//!    takes uses away, so what is unused with one hole is unused with all.
//! 2. With every region as a choice (`mutants.rs`) the tests are compiled once more. For each exercise the graded test then
//!    runs with the solution (it passes), with the hole (it fails, and prints the exercise's id: because of this hole), and
//!    with each wrong answer (it fails, and the grader gives exactly that answer's diagnosis).
//! 3. What the grader says in each case is a snapshot, `exercises/ID.snap` in the crate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cargo_metadata::Message;
use cargo_metadata::diagnostic::DiagnosticLevel;

use super::exercise::{self, Exercise};
use super::grade::{self, Verdict};
use super::table::{self, Row};
use super::{copy, desk, mutants, region};
use crate::shell;

/// A test that takes longer than this hangs: a wrong answer may well do that.
const PATIENCE: Duration = Duration::from_mins(2);

/// Test programs by package and target.
type Programs = BTreeMap<(String, String), PathBuf>;

/// Proves the exercises named, or all. Fails after printing the table.
pub(crate) fn run(root: &Path, ids: &[String]) -> Result<()> {
    let target = target(root);
    let tree = target.join("learn/tree");
    std::fs::create_dir_all(&tree)?;
    let _lock = desk::lock(&target.join("learn/lock"), "another proof")?;
    let begun = Instant::now();
    let files = copy::refresh(root, &tree, "choices")?;
    let exercises = exercise::load(&tree)?;
    every_region_has_its_exercise(&tree, &files, &exercises)?;

    println!("learn: compiling with all {} holes open …", exercises.len());
    mutants::punch(&tree, &exercises)?;
    let warnings = check(&tree, &target)?;
    println!("learn: compiling every choice …");
    copy::refresh(root, &tree, "choices")?;
    mutants::choose(&tree, &exercises)?;
    let programs = compile(&tree, &target, &exercises)?;

    let mut rows = Vec::new();
    for exercise in exercises.iter().filter(|exercise| ids.is_empty() || ids.contains(&exercise.id)) {
        let started = Instant::now();
        let mut row = Row::new(exercise);
        let source = exercise.source().display().to_string();
        row.findings.extend(warnings.iter().filter(|warning| warning.starts_with(&source)).cloned());
        row.compiles = row.findings.is_empty();
        match programs.get(&(exercise.package.clone(), exercise.target.clone())) {
            Some(program) => judge(root, &tree, exercise, program, &mut row)?,
            None => row
                .findings
                .push(format!("its test program {} of {} was not compiled", exercise.target, exercise.package)),
        }
        row.took = started.elapsed();
        rows.push(row);
    }
    print!("{}", table::show(&rows));
    let elsewhere: Vec<_> = warnings
        .iter()
        .filter(|line| !exercises.iter().any(|e| line.starts_with(&e.source().display().to_string())))
        .collect();
    for warning in &elsewhere {
        println!("{warning}");
    }
    // A warning in a crate without holes is not a hole's, and the lints see to it.
    let of_holes =
        |line: &&&String| exercises.iter().any(|exercise| line.starts_with(&*exercise.directory.to_string_lossy()));
    let bad = elsewhere.iter().filter(of_holes).count() + rows.iter().map(|row| row.findings.len()).sum::<usize>();
    println!("learn: {} exercises in {} s, {bad} findings", rows.len(), begun.elapsed().as_secs());
    if bad > 0 {
        bail!("learn verify: {bad} findings");
    }
    Ok(())
}

/// Runs the graded test in all its states and compares what the grader says with the snapshot.
fn judge(root: &Path, tree: &Path, exercise: &Exercise, program: &Path, row: &mut Row) -> Result<()> {
    let run = |choice: &str| attempt(tree, exercise, program, choice);
    let solved = run("")?;
    row.passes = grade::grade(exercise, &solved) == Verdict::Passed;
    if !row.passes {
        row.findings.push(format!("with the solution the test does not pass:\n{solved}"));
        return Ok(());
    }
    let empty = run(&exercise.id)?;
    row.fails = matches!(grade::grade(exercise, &empty), Verdict::Failed(_));
    row.because = row.fails && grade::is_empty_hole(exercise, &empty);
    if !row.because {
        row.findings.push(format!("with the hole the test should fail and name it:\n{empty}"));
    }
    if exercise.wrong.len() < 2 {
        row.findings.push("it needs two wrong answers at least".to_owned());
    }
    let mut says = vec![format!("the hole\n{}", grade::grade(exercise, &empty))];
    for (number, wrong) in exercise.wrong.iter().enumerate() {
        let output = run(&mutants::wrong_name(exercise, number))?;
        let verdict = grade::grade(exercise, &output);
        match &verdict {
            Verdict::Failed(finding) if finding.cause == wrong.says => row.diagnosed += 1,
            _ => row.findings.push(format!("wrong answer {number} is not recognised:\n{output}\n{verdict}")),
        }
        says.push(format!("wrong answer {number}\n{verdict}"));
    }
    if let Err(differs) = snapshot(&root.join(&exercise.directory).join("exercises"), &exercise.id, &says.join("\n")) {
        row.findings.push(differs);
    }
    Ok(())
}

/// One run of the graded test, from inside its crate as cargo does it.
fn attempt(tree: &Path, exercise: &Exercise, program: &Path, choice: &str) -> Result<String> {
    let crate_directory = tree.join(&exercise.directory);
    let mut program_run = Command::new("timeout");
    program_run
        .arg("--kill-after=5")
        .arg(PATIENCE.as_secs().to_string())
        .arg(program)
        .args(["--exact", &exercise.test]);
    program_run.current_dir(&crate_directory).env("CARGO_MANIFEST_DIR", &crate_directory);
    program_run
        .env(mutants::CHOICE, choice)
        .env("INSTA_UPDATE", "no")
        .env("INSTA_WORKSPACE_ROOT", tree)
        .env("NO_COLOR", "1");
    // A failing proptest would leave its seed in the copy, and the next run would find it there.
    program_run.env("PROPTEST_FAILURE_PERSISTENCE", "off").env_remove("RUST_BACKTRACE");
    let output = program_run.output().with_context(|| format!("cannot start {}", program.display()))?;
    let text = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    // Killed for its slowness, or dead of a signal, it has not printed its last line.
    Ok(if text.contains("test result: ") { text } else { format!("{text}\ntest result: none: {}", output.status) })
}

/// Compares with the snapshot; numbers that differ from run to run are left out.
fn snapshot(directory: &Path, name: &str, says: &str) -> Result<(), String> {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(directory);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"/tmp/[^\s/]+", "/tmp/[..]");
    settings.add_filter(r"\bpid \d+", "pid [..]");
    // The machine's own name, where a container has failed to have another.
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    settings.add_filter(&format!("\"{}\"", host.trim()), "\"[host]\"");
    let compare = || settings.bind(|| insta::assert_snapshot!(name, says));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(compare)).map_err(|_| {
        format!("the grader says something else than exercises/{name}.snap; INSTA_UPDATE=always renews it")
    })
}

/// A mark without an entry is a mistake of ours, and so is an entry without a mark.
fn every_region_has_its_exercise(tree: &Path, files: &[PathBuf], exercises: &[Exercise]) -> Result<()> {
    let mut marked = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")) {
        if file.starts_with("xtask") {
            continue;
        }
        let ids = region::ids(&std::fs::read_to_string(tree.join(file))?);
        marked.extend(ids.with_context(|| file.display().to_string())?.into_iter().map(|id| (file.clone(), id)));
    }
    let described: Vec<_> = exercises.iter().map(|exercise| (exercise.source(), exercise.id.clone())).collect();
    if let Some((file, id)) = marked.iter().find(|region| !described.contains(region)) {
        bail!("{}: the region {id} has no entry in exercises.toml", file.display());
    }
    if let Some((file, id)) = described.iter().find(|region| !marked.contains(region)) {
        bail!("{}: the exercise {id} has no region", file.display());
    }
    Ok(())
}

/// Warnings and errors of the whole workspace, each with its file first.
fn check(tree: &Path, target: &Path) -> Result<Vec<String>> {
    let (messages, _) = cargo(tree, target, &["check", "--keep-going", "--workspace", "--all-targets"])?;
    let of_code = |message: &Message| match message {
        Message::CompilerMessage(message)
            if matches!(message.message.level, DiagnosticLevel::Warning | DiagnosticLevel::Error) =>
        {
            let span = message.message.spans.iter().find(|span| span.is_primary)?;
            Some(format!("{}:{}: {}", span.file_name, span.line_start, message.message.message))
        }
        _ => None,
    };
    let mut findings: Vec<_> = messages.iter().filter_map(of_code).collect();
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// The test programs by package and target. If the workspace does not compile as a whole, each package by itself, so that
/// a mistake in one of them does not hide the others.
fn compile(tree: &Path, target: &Path, exercises: &[Exercise]) -> Result<Programs> {
    let (messages, done) = build_tests(tree, target, exercises, "--workspace")?;
    if done {
        return programs(messages);
    }
    let mut packages: Vec<_> = exercises.iter().map(|exercise| exercise.package.as_str()).collect();
    packages.dedup();
    let mut found = Programs::new();
    for package in packages {
        let of_package: Vec<_> = exercises.iter().filter(|exercise| exercise.package == package).cloned().collect();
        let (messages, done) = build_tests(tree, target, &of_package, &format!("--package={package}"))?;
        if !done {
            println!("learn: {package} does not compile:\n{}", errors(&messages));
        }
        found.extend(programs(messages)?);
    }
    Ok(found)
}

/// Compiles the test programs of these exercises.
fn build_tests(tree: &Path, target: &Path, exercises: &[Exercise], which: &str) -> Result<(Vec<Message>, bool)> {
    let mut arguments = vec!["test", "--no-run", which, "--lib"];
    let mut targets: Vec<_> =
        exercises.iter().map(|exercise| exercise.target.as_str()).filter(|name| *name != "lib").collect();
    targets.sort_unstable();
    targets.dedup();
    for name in targets {
        arguments.extend(["--test", name]);
    }
    cargo(tree, target, &arguments)
}

/// The compiler's errors, as it would print them.
fn errors(messages: &[Message]) -> String {
    let error = |message: &Message| match message {
        Message::CompilerMessage(message) if message.message.level == DiagnosticLevel::Error => {
            message.message.rendered.clone()
        }
        _ => None,
    };
    messages.iter().filter_map(error).collect()
}

/// What cargo says that it has made.
fn programs(messages: Vec<Message>) -> Result<Programs> {
    let mut programs = Programs::new();
    for message in messages {
        let Message::CompilerArtifact(artifact) = message else { continue };
        let Some(program) = artifact.executable.filter(|_| artifact.profile.test) else { continue };
        // The name of the crate's directory is not its package's; the manifest knows.
        let package = package_of(artifact.manifest_path.as_std_path())?;
        let is_lib = artifact.target.kind.contains(&cargo_metadata::TargetKind::Lib);
        let name = if is_lib { "lib".to_owned() } else { artifact.target.name };
        programs.insert((package, name), program.into_std_path_buf());
    }
    Ok(programs)
}

fn package_of(manifest: &Path) -> Result<String> {
    let manifest: toml::Table = toml::from_str(&std::fs::read_to_string(manifest)?)?;
    let name = manifest.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    Ok(name.context("a package has a name")?.to_owned())
}

/// Runs cargo in the copy. Libraries from the registry are the same ones, so they are taken from the same target directory;
/// our crates have other names there, because their version is marked.
fn cargo(tree: &Path, target: &Path, arguments: &[&str]) -> Result<(Vec<Message>, bool)> {
    let mut cargo = shell::cargo();
    cargo.current_dir(tree).env("CARGO_TARGET_DIR", target).args(arguments).args(["--message-format", "json"]);
    cargo.arg("--quiet").env_remove("CARGO_MANIFEST_DIR");
    let output = cargo.output()?;
    let messages: Vec<Message> = Message::parse_stream(output.stdout.as_slice()).collect::<Result<_, _>>()?;
    let broken = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && messages.is_empty() {
        bail!("cargo {}: {broken}", arguments.join(" "));
    }
    Ok((messages, output.status.success()))
}

/// Where cargo compiles.
pub(super) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}
