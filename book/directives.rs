//! Tables that are made from the repository when the book is built, so that they cannot be out of date.
//!
//! | in the page | becomes |
//! |---|---|
//! | `{{exercises CHAPTER}}` | the exercises of the crate in that directory |
//! | `{{schedule}}` | every chapter with the minutes of its exercises |
//! | `{{needs CHAPTER}}`, `{{limits}}` | see `facts.rs` |
//! | `{{latency}}` | see `latency.rs` |
//! | `{{suites}}` | see `suites.rs` |
//!
//! And above every piece of code it says where that piece is.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{facts, latency, suites};

/// The part of an `exercises.toml` that is shown.
#[derive(Deserialize)]
struct File {
    exercise: Vec<Exercise>,
}

#[derive(Deserialize)]
struct Exercise {
    id: String,
    title: String,
    stars: usize,
    minutes: u32,
    looks_at: String,
    #[serde(default)]
    root: bool,
}

/// Where exercises are, and the page about them.
const PLACES: [(&str, &str, &str); 8] = [
    ("chapters/01-namespaces", "Namespaces", "01-namespaces.md"),
    ("chapters/02-cgroups", "Cgroups", "02-cgroups.md"),
    ("chapters/03-unionfs", "Layers", "03-unionfs.md"),
    ("chapters/04-network", "Network", "04-network.md"),
    ("chapters/05-volumes", "Volumes", "05-volumes.md"),
    ("chapters/06-images-registry", "Images and registries", "06-images.md"),
    ("final/runtime", "The runtime", "run.md"),
    ("final/engine", "The engine", "run.md"),
];

/// Minutes that a chapter's page takes to read and to type along.
const READING: u32 = 40;

/// The page with its tables, and every piece of code with its place.
pub(crate) fn expand(text: &str, repository: &Path) -> Result<String> {
    let mut page = String::new();
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if line.trim() == "```rust" {
            page.push_str(&lines.peek().and_then(|next| place(next, repository)).unwrap_or_default());
        }
        let directive = line.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")).unwrap_or_default();
        match directive.split_once(' ').unwrap_or((directive, "")) {
            ("schedule", "") => page.push_str(&schedule(repository)?),
            ("latency", "") => page.push_str(&latency::table(repository)?),
            ("suites", "") => page.push_str(&suites::table(repository)?),
            ("limits", "") => page.push_str(&facts::limits(repository)?),
            ("needs", chapter) => page.push_str(&facts::needs(chapter)?),
            ("exercises", place) => page.push_str(&exercises(repository, place)?),
            _ => page.push_str(line),
        }
    }
    Ok(page)
}

/// Where the code of an include is: `` `chapters/01-namespaces/src/stage.rs:23` ``, as a paragraph without words.
fn place(include: &str, repository: &Path) -> Option<String> {
    let target = include.trim().strip_prefix("{{#include ")?.strip_suffix("}}")?;
    let (file, anchor) = target.split_once(':')?;
    let file = file.trim_start_matches("../");
    let source = std::fs::read_to_string(repository.join(file)).ok()?;
    let mark = format!("// ANCHOR: {anchor}");
    let line = source.lines().position(|line| line.trim() == mark)? + 2;
    Some(format!("`{file}:{line}`\n\n"))
}

fn load(repository: &Path, place: &str) -> Result<Vec<Exercise>> {
    let path = repository.join(place).join("exercises.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: File = toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(file.exercise)
}

fn exercises(repository: &Path, place: &str) -> Result<String> {
    let row = |exercise: Exercise| {
        let stars = "★".repeat(exercise.stars);
        let root = if exercise.root { ", as root" } else { "" };
        let stop = if exercise.title.ends_with('?') { "" } else { "." };
        format!(
            "| `{}` | {stars} | {} min | {}{stop} The grader looks at {}{root}. |\n",
            exercise.id, exercise.minutes, exercise.title, exercise.looks_at
        )
    };
    let head = "| exercise | | | what to write |\n|---|---|---|---|\n".to_owned();
    Ok(std::iter::once(head).chain(load(repository, place)?.into_iter().map(row)).collect())
}

fn schedule(repository: &Path) -> Result<String> {
    let mut rows = vec!["| part | reading and typing | exercises | together |\n|---|---|---|---|\n".to_owned()];
    for (place, title, page) in PLACES {
        let exercises = load(repository, place)?;
        let minutes: u32 = exercises.iter().map(|exercise| exercise.minutes).sum();
        let (number, together) = (exercises.len(), READING + minutes);
        rows.push(format!("| [{title}]({page}) | {READING} min | {number}, {minutes} min | {together} min |\n"));
    }
    Ok(rows.concat())
}
