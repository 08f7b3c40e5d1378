//! What an exercise is: a region of the source that the learner writes again, the test that judges it, and help.
//!
//! The regions are in the sources (`region.rs`); everything else is in the `exercises.toml` beside each crate's `Cargo.toml`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// One crate's `exercises.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The cargo package.
    package: String,
    /// The easiest first.
    exercise: Vec<Exercise>,
}

/// One hole.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exercise {
    /// As in the source: `// SOLUTION id`.
    pub(crate) id: String,
    /// What is to be written, in a few words.
    pub(crate) title: String,
    /// From one (a flag) to four (an algorithm).
    pub(crate) stars: u8,
    /// What a reader of the chapter needs, about.
    pub(crate) minutes: u16,
    /// Whether the graded test asks the kernel and must be root.
    #[serde(default)]
    pub(crate) root: bool,
    /// The source with the region; relative to the crate.
    pub(crate) file: PathBuf,
    /// The test program: `lib`, or the name of a file in `tests/`.
    #[serde(default = "lib")]
    pub(crate) target: String,
    /// Full name of the test in that program.
    pub(crate) test: String,
    /// What the grader looks at, said before the learner begins.
    pub(crate) looks_at: String,
    /// Manual pages and places in the source.
    pub(crate) read: String,
    /// Where to look, what to use, nearly the answer.
    pub(crate) hints: [String; 3],
    /// What stands in the hole. It compiles without warnings and fails with the exercise's id.
    pub(crate) starter: String,
    /// Plausible mistakes, the most particular one first.
    pub(crate) wrong: Vec<Wrong>,
    /// The cargo package, from the head of the file.
    #[serde(skip)]
    pub(crate) package: String,
    /// The crate's directory, relative to the workspace.
    #[serde(skip)]
    pub(crate) directory: PathBuf,
}

/// A wrong answer that people give, and what the grader tells them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wrong {
    /// The diagnosis: what was probably written, and why it is wrong.
    pub(crate) says: String,
    /// Words that the failing test prints if this is the mistake: all of them, and none of those after a `!`.
    pub(crate) symptom: Vec<String>,
    /// The mistake itself, kept to prove that its diagnosis is given. A copy for a class has it not: it is nearly the solution.
    #[serde(default)]
    pub(crate) code: String,
}

impl Exercise {
    /// The source with the region; relative to the workspace.
    pub(crate) fn source(&self) -> PathBuf {
        self.directory.join(&self.file)
    }

    /// The arguments of cargo that run its test and no other.
    pub(crate) fn cargo_test(&self) -> Vec<String> {
        let mut arguments = vec!["test".to_owned(), "-p".to_owned(), self.package.clone()];
        match self.target.as_str() {
            "lib" => arguments.push("--lib".to_owned()),
            name => arguments.extend(["--test".to_owned(), name.to_owned()]),
        }
        arguments.extend(["--", "--exact", &self.test].map(str::to_owned));
        arguments
    }
}

/// Every exercise of the workspace below `root`, chapter by chapter.
pub(crate) fn load(root: &Path) -> Result<Vec<Exercise>> {
    let mut directories = Vec::new();
    for parent in ["chapters", "final"] {
        for entry in std::fs::read_dir(root.join(parent)).with_context(|| format!("cannot list {parent}"))? {
            directories.push(Path::new(parent).join(entry?.file_name()));
        }
    }
    // The runtime is read before the engine, which is built on it.
    directories.sort_by_key(|directory| (directory.ends_with("engine"), directory.clone()));
    let mut exercises: Vec<Exercise> = Vec::new();
    for directory in directories {
        let path = root.join(&directory).join("exercises.toml");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let file: File = toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
        if !file.exercise.is_sorted_by_key(|exercise| exercise.stars) {
            bail!("{}: the exercises are not in the order of their stars", path.display());
        }
        for exercise in file.exercise {
            if exercises.iter().any(|other| other.id == exercise.id) {
                bail!("{}: the id {} is used twice", path.display(), exercise.id);
            }
            exercises.push(Exercise { package: file.package.clone(), directory: directory.clone(), ..exercise });
        }
    }
    Ok(exercises)
}

/// The exercise of this name.
pub(crate) fn find<'a>(exercises: &'a [Exercise], id: &str) -> Result<&'a Exercise> {
    exercises
        .iter()
        .find(|exercise| exercise.id == id)
        .with_context(|| format!("there is no exercise {id}; `cargo xtask learn list` shows them"))
}

fn lib() -> String {
    "lib".to_owned()
}
