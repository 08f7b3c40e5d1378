//! Replays what the pages say that one should type, and compares what is printed.
//!
//! Every page is one shell in an environment of its own: mount, network, host name, process and IPC namespaces, with empty
//! directories where Skiff and the pages keep things (`/tmp`, `/run`, `/var/lib`). A page that begins with the comment
//! `<!-- after ready.md -->` has that page's commands typed before its own. When the shell ends, the process namespace ends
//! with it, and so does whatever a page has left running.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::page::Page;
use crate::transcript::{self, Step};

/// How long one page may take.
const PATIENCE: &str = "120";
/// What a remark begins with that says why a block is not replayed.
const NOT_REPLAYED: &str = "not replayed: ";

/// What became of all transcripts.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Blocks that were replayed.
    pub(crate) replayed: usize,
    /// Blocks that were not, with their reasons.
    pub(crate) left_out: Vec<String>,
    /// Everything that is not as the page says.
    pub(crate) findings: Vec<String>,
}

/// Replays every page, or only `only`. With `overwrite`, pages are corrected instead of reported.
pub(crate) fn run(pages: &[Page], only: Option<&str>, overwrite: bool) -> Result<Outcome> {
    let programs = programs()?;
    let mut outcome = Outcome::default();
    for page in pages.iter().filter(|page| only.is_none_or(|only| page.name() == only)) {
        replay(page, pages, &programs, overwrite, &mut outcome)
            .with_context(|| format!("cannot replay {}", page.name()))?;
    }
    Ok(outcome)
}

/// One page.
fn replay(page: &Page, pages: &[Page], programs: &[PathBuf], overwrite: bool, outcome: &mut Outcome) -> Result<()> {
    let mut steps: Vec<(usize, Step)> = Vec::new();
    for block in page.blocks().into_iter().filter(|block| block.info == "console") {
        if let Some(reason) = block.remark.and_then(|remark| remark.strip_prefix(NOT_REPLAYED)) {
            outcome.left_out.push(format!("{}: {reason}", page.at(block.line)));
        } else {
            outcome.replayed += 1;
            steps.extend(transcript::parse(&block.lines).into_iter().map(|step| (block.line, step)));
        }
    }
    if steps.is_empty() {
        return Ok(());
    }
    let commands: Vec<&str> = steps.iter().map(|(_, step)| step.command.as_str()).collect();
    let before = before(page, pages);
    let printed = type_in(&before, &commands, programs)?;
    if overwrite {
        return correct_all(page, &steps, &printed);
    }
    let mut findings = compare(page, &steps, &printed);
    if !findings.is_empty() {
        // Machines differ, and are busy: a page that is right the second time is right. It is named all the same.
        findings = compare(page, &steps, &type_in(&before, &commands, programs)?);
        if findings.is_empty() {
            println!("unsteady, right at the second time: {}", page.name());
        }
    }
    outcome.findings.extend(findings);
    Ok(())
}

/// Where the page says something else than was printed.
fn compare(page: &Page, steps: &[(usize, Step)], printed: &[Vec<String>]) -> Vec<String> {
    let differs = |((line, step), found): (&(usize, Step), &Vec<String>)| {
        (!transcript::fits(&step.expected, found)).then(|| {
            let (at, command, found) = (page.at(*line), &step.command, found.join("\n"));
            format!("{at}: `{command}`\n--- the page says\n{}\n--- it printed\n{found}", step.expected.join("\n"))
        })
    };
    let mut findings: Vec<String> = steps.iter().zip(printed).filter_map(differs).collect();
    if steps.len() != printed.len() {
        findings.push(format!("{}: it ended after {} of its commands", page.at(1), printed.len()));
    }
    findings
}

/// Writes what was printed into the page, where it differs.
fn correct_all(page: &Page, steps: &[(usize, Step)], printed: &[Vec<String>]) -> Result<()> {
    let wrong = steps.iter().zip(printed).filter(|((_, step), found)| !transcript::fits(&step.expected, found));
    let corrected = wrong.fold(page.text.clone(), |text, ((_, step), found)| correct(&text, step, found));
    if corrected != page.text {
        std::fs::write(&page.path, corrected)?;
    }
    Ok(())
}

/// The commands of the page that this one comes after.
fn before(page: &Page, pages: &[Page]) -> Vec<String> {
    let named = page.text.lines().find_map(|line| line.strip_prefix("<!-- after ")?.strip_suffix(" -->"));
    let Some(earlier) = pages.iter().find(|other| Some(other.name()) == named) else { return Vec::new() };
    let blocks = earlier.blocks().into_iter();
    let replayed = blocks.filter(|block| block.info == "console" && block.remark.is_none());
    replayed.flat_map(|block| transcript::parse(&block.lines)).map(|step| step.command).collect()
}

/// Types everything into one shell; returns what each of `commands` printed, with its status as the last line.
fn type_in(before: &[String], commands: &[&str], programs: &[PathBuf]) -> Result<Vec<Vec<String>>> {
    let quiet: Vec<String> =
        before.iter().map(|command| format!("{{ {command}\n}} > /dev/null 2>&1 < /dev/null\n")).collect();
    let loud = commands
        .iter()
        .map(|command| format!("printf '\\001\\n'\n{{ {command}\n}} 2>&1 < /dev/null\nprintf '\\n\\002%d\\n' $?\n"));
    let script = [include_str!("replay.sh").to_owned(), quiet.concat(), loud.collect()].concat();
    let file = tempfile::Builder::new().suffix(".sh").tempfile()?;
    std::fs::write(file.path(), script)?;
    let mut shell = Command::new("timeout");
    shell.args(["--kill-after=5", PATIENCE, "unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork"]);
    shell.args(["--kill-child", "--mount-proc", "bash"]).arg(file.path());
    shell.env("PROGRAMS", programs.iter().map(|program| program.display().to_string()).collect::<Vec<_>>().join(" "));
    // What a person at a terminal has, and nothing of whoever runs the check.
    for name in ["SKIFF_DATA_ROOT", "DOCKER_HOST", "SKIFF_HOST", "LS_COLORS"] {
        shell.env_remove(name);
    }
    let output = shell.env("LC_ALL", "C.UTF-8").env("TERM", "dumb").output().context("cannot start unshare")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pieces: Vec<_> = text.split('\u{1}').skip(1).filter_map(printed).collect();
    if pieces.is_empty() {
        bail!("the shell ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(pieces)
}

/// The lines of one command, and its status if it is not 0.
fn printed(piece: &str) -> Option<Vec<String>> {
    let (text, status) = piece.rsplit_once("\n\u{2}")?;
    let text = text.strip_prefix('\n').unwrap_or(text);
    let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let status = status.lines().next()?.trim();
    if status != "0" {
        lines.push(format!("[exit {status}]"));
    }
    Some(lines)
}

/// The page with what was found in the place of what was expected.
fn correct(text: &str, step: &Step, found: &[String]) -> String {
    let lines = |lines: &[String]| lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>();
    let typed = format!("# {}\n", step.command.replace('\n', "\n> "));
    let old = format!("{typed}{}", lines(&step.expected));
    text.replacen(&old, &format!("{typed}{}", lines(found)), 1)
}

/// The programs that the pages use: the static ones of the engine, and the chapters' own.
fn programs() -> Result<Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let engine =
        std::env::var_os("SKIFF_BIN").map_or_else(|| target.join("x86_64-unknown-linux-gnu/release"), PathBuf::from);
    let mut found = Vec::new();
    for name in ["skiff", "skiffd", "skiff-runtime"] {
        found.push(engine.join(name));
    }
    for name in ["namespaces", "cgroups", "unionfs", "network", "volumes", "images"] {
        found.push(target.join("debug").join(name));
    }
    match found.iter().find(|program| !program.exists()) {
        Some(missing) => bail!("{} is not there; `cargo xtask book --check` builds it", missing.display()),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_corrected_where_it_is_wrong() {
        let page = "```console\n# echo a\nb\n# echo c\nc\n```\n";
        let step = Step { command: "echo a".into(), expected: vec!["b".into()] };
        assert_eq!(correct(page, &step, &["a".into()]), "```console\n# echo a\na\n# echo c\nc\n```\n");
    }

    #[test]
    fn the_status_is_the_last_line_when_it_is_not_0() {
        assert_eq!(printed("\na\nb\n\n\u{2}0\n").unwrap(), ["a", "b"]);
        assert_eq!(printed("\n\n\u{2}137\n").unwrap(), ["[exit 137]"]);
    }
}
