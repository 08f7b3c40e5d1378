//! The learner's desk: what was begun, which hints were read, and everything that was ever taken out of a source.
//!
//! ```text
//! .learn/
//!   state.json        progress
//!   lock              held for the moment in which the progress is changed
//!   check.lock        held while a check runs
//!   reference/ID      the reference solution, taken out when the exercise was started
//!   kept/ID-N         what the learner had written, each time something else took its place
//! ```
//!
//! Nothing that somebody wrote is thrown away: before a region gets other content, what is in it is kept and named.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use super::exercise::{self, Exercise};
use super::region;

/// The page at the top of a copy for a class, by which it is known for one.
pub(crate) const CLASS: &str = "WORKSHOP.md";

/// A checkout in which somebody learns.
pub(crate) struct Desk {
    /// The workspace.
    pub(crate) root: PathBuf,
    /// Every exercise of it.
    pub(crate) exercises: Vec<Exercise>,
    /// Where cargo compiles, if not where it would.
    pub(crate) target: Option<PathBuf>,
    /// A copy for a class: every hole was open from the beginning, and the solutions are elsewhere.
    pub(crate) class: bool,
    state: State,
}

/// `state.json`.
#[derive(Default, Serialize, Deserialize)]
struct State {
    /// The exercise that commands without an id mean.
    current: Option<String>,
    progress: BTreeMap<String, Progress>,
}

/// How far one exercise has come.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// The hole is in the source, or what the learner has put in its place.
    pub(crate) started: bool,
    /// How many hints were shown.
    pub(crate) hints: usize,
    /// The graded test has passed on the learner's code.
    pub(crate) passed: bool,
    /// The solution was looked at before.
    pub(crate) gave_up: bool,
}

impl Desk {
    /// Reads the exercises and the progress.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let (exercises, state) = (exercise::load(root)?, State::read(root)?);
        Ok(Self { root: root.to_owned(), exercises, target: None, class: root.join(CLASS).exists(), state })
    }

    /// Waits until no other check runs in this checkout; none begins until the file is dropped.
    pub(crate) fn alone(&self) -> Result<File> {
        lock(&self.root.join(".learn/check.lock"), "another check")
    }

    /// The exercise of this id, or the one that was started last.
    pub(crate) fn exercise(&self, id: Option<&str>) -> Result<Exercise> {
        let id = id.or(self.state.current.as_deref());
        let id = id.context("no exercise was started yet; `cargo xtask learn start ID` starts one")?;
        exercise::find(&self.exercises, id).cloned()
    }

    /// How far this exercise has come.
    pub(crate) fn progress(&self, id: &str) -> Progress {
        self.state.progress.get(id).cloned().unwrap_or_default()
    }

    /// Changes the progress and writes it down. What another terminal has written meanwhile (`watch` runs for hours) stays.
    pub(crate) fn note(&mut self, id: &str, change: impl FnOnce(&mut Progress)) -> Result<()> {
        let _lock = lock(&self.root.join(".learn/lock"), "another command")?;
        self.state = State::read(&self.root)?;
        change(self.state.progress.entry(id.to_owned()).or_default());
        self.state.current = Some(id.to_owned());
        let text = serde_json::to_vec_pretty(&self.state)?;
        write(&self.root.join(".learn/state.json"), &text)
    }

    /// What is in the region now.
    pub(crate) fn region(&self, exercise: &Exercise) -> Result<String> {
        region::get(&self.text(exercise)?, &exercise.id)
    }

    /// Makes the hole. Returns where what was written there before is kept, if it was not the reference.
    pub(crate) fn punch(&mut self, exercise: &Exercise) -> Result<Option<PathBuf>> {
        let here = self.region(exercise)?;
        let reference = self.root.join(".learn/reference").join(&exercise.id);
        if !reference.exists() && !self.class {
            // What was committed is the reference; what differs from it is somebody's own work.
            let committed = self.committed(exercise).unwrap_or_else(|| here.clone());
            write(&reference, committed.as_bytes())?;
        }
        self.replace(exercise, &exercise.starter)
    }

    /// Puts back what was there in the beginning: the reference, or in a class the empty hole. Returns where the learner's own
    /// is kept.
    pub(crate) fn restore(&mut self, exercise: &Exercise) -> Result<Option<PathBuf>> {
        let first = if self.class { exercise.starter.clone() } else { self.reference(exercise)? };
        self.replace(exercise, &first)
    }

    /// The reference solution.
    pub(crate) fn reference(&self, exercise: &Exercise) -> Result<String> {
        let path = self.root.join(".learn/reference").join(&exercise.id);
        match (std::fs::read_to_string(&path), &exercise.id) {
            (Ok(text), _) => Ok(text),
            (Err(_), id) if self.class => {
                bail!("the solution of {id} is not in this copy, which is for a class; ask who gave it to you")
            }
            (Err(_), id) => bail!("{id} was not started here, so nothing was taken out: its source has the reference"),
        }
    }

    /// The line in which its hole begins, from 1.
    pub(crate) fn line(&self, exercise: &Exercise) -> Result<usize> {
        region::line(&self.text(exercise)?, &exercise.id)
    }

    /// Writes `content` into the region, after keeping what is there if it is somebody's work.
    pub(crate) fn replace(&self, exercise: &Exercise, content: &str) -> Result<Option<PathBuf>> {
        let text = self.text(exercise)?;
        let here = region::get(&text, &exercise.id)?;
        let new = region::set(&text, &exercise.id, content)?;
        let starter = region::get(&region::set(&text, &exercise.id, &exercise.starter)?, &exercise.id)?;
        let known = [starter, self.reference(exercise).unwrap_or_default(), region::get(&new, &exercise.id)?];
        let kept = if known.contains(&here) { None } else { Some(self.keep(exercise, &here)?) };
        write(&self.root.join(exercise.source()), new.as_bytes())?;
        Ok(kept)
    }

    /// Keeps a piece of work under the next free number.
    fn keep(&self, exercise: &Exercise, work: &str) -> Result<PathBuf> {
        let name = |number: usize| Path::new(".learn/kept").join(format!("{}-{number}", exercise.id));
        let number = (1..=usize::MAX).find(|number| !self.root.join(name(*number)).exists()).unwrap_or(1);
        write(&self.root.join(name(number)), work.as_bytes())?;
        Ok(name(number))
    }

    /// The region as the last commit has it; `None` without a repository.
    fn committed(&self, exercise: &Exercise) -> Option<String> {
        let mut git = std::process::Command::new("git");
        git.current_dir(&self.root).arg("show").arg(format!("HEAD:{}", exercise.source().display()));
        let output = git.output().ok().filter(|output| output.status.success())?;
        region::get(&String::from_utf8_lossy(&output.stdout), &exercise.id).ok()
    }

    fn text(&self, exercise: &Exercise) -> Result<String> {
        let path = self.root.join(exercise.source());
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

impl State {
    /// As it was written last; of a learner who has not begun, nothing.
    fn read(root: &Path) -> Result<Self> {
        match std::fs::read(root.join(".learn/state.json")) {
            Ok(text) => serde_json::from_slice(&text)
                .context("cannot read .learn/state.json; without it only the note of what has passed is lost"),
            Err(_) => Ok(Self::default()),
        }
    }
}

/// Takes the lock of this file, and says whom it waits for if it has to.
pub(crate) fn lock(path: &Path, who: &str) -> Result<File> {
    let directory = path.parent().context("a file is in a directory")?;
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let file = File::create(path).with_context(|| format!("cannot open {}", path.display()))?;
    if file.try_lock().is_err() {
        println!("Waiting: {who} is at work …");
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// Writes a file whole or not at all, and the directories above it. It stays whose it was: who is root for a test edits as
/// somebody else.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let directory = path.parent().context("a file is in a directory")?;
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let partial = path.with_extension("partial");
    std::fs::write(&partial, content).with_context(|| format!("cannot write {}", partial.display()))?;
    if let Ok(there) = path.metadata() {
        std::fs::set_permissions(&partial, there.permissions())?;
        // Nobody but root can give a file away, and to itself it need not be given.
        let _its_own = chown(&partial, Some(there.uid()), Some(there.gid()));
    }
    std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
package = "demo"
[[exercise]]
id = "two"
title = "Return two"
stars = 1
minutes = 1
file = "src/lib.rs"
test = "tests::two"
looks_at = "the number"
read = "nothing"
hints = ["a", "b", "c"]
starter = 'todo!("exercise two")'
wrong = []
"#;

    const SOURCE: &str = "fn two() -> u8 {\n    // SOLUTION two\n    2\n    // END SOLUTION\n}\n";

    fn checkout() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("final")).unwrap();
        let demo = root.path().join("chapters/demo");
        std::fs::create_dir_all(demo.join("src")).unwrap();
        std::fs::write(demo.join("exercises.toml"), TOML).unwrap();
        std::fs::write(demo.join("src/lib.rs"), SOURCE).unwrap();
        root
    }

    #[test]
    fn work_is_kept_whatever_is_done() {
        let root = checkout();
        let mut desk = Desk::open(root.path()).unwrap();
        let exercise = desk.exercise(Some("two")).unwrap();
        assert_eq!(desk.punch(&exercise).unwrap(), None, "the reference is nobody's work");
        assert!(desk.region(&exercise).unwrap().contains("todo!"));
        assert_eq!(desk.replace(&exercise, "1 + 1").unwrap(), None, "the starter is nobody's work");
        let kept = desk.punch(&exercise).unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(root.path().join(&kept)).unwrap(), "    1 + 1\n");
        desk.replace(&exercise, "3").unwrap();
        assert_eq!(desk.restore(&exercise).unwrap().unwrap(), Path::new(".learn/kept/two-2"));
        assert_eq!(std::fs::read_to_string(root.path().join("chapters/demo/src/lib.rs")).unwrap(), SOURCE);
    }

    #[test]
    fn in_a_class_the_empty_hole_is_the_beginning() {
        let root = checkout();
        std::fs::write(root.path().join(CLASS), "").unwrap();
        let mut desk = Desk::open(root.path()).unwrap();
        let exercise = desk.exercise(Some("two")).unwrap();
        desk.replace(&exercise, &exercise.starter).unwrap();
        assert_eq!(desk.punch(&exercise).unwrap(), None);
        assert!(desk.reference(&exercise).unwrap_err().to_string().contains("for a class"));
        desk.replace(&exercise, "1 + 1").unwrap();
        assert_eq!(desk.restore(&exercise).unwrap().unwrap(), Path::new(".learn/kept/two-2"));
        assert!(desk.region(&exercise).unwrap().contains("todo!"));
    }

    #[test]
    fn what_another_terminal_notes_is_not_lost() {
        let root = checkout();
        let (mut watching, mut other) = (Desk::open(root.path()).unwrap(), Desk::open(root.path()).unwrap());
        other.note("two", |progress| progress.hints = 1).unwrap();
        watching.note("two", |progress| progress.passed = true).unwrap();
        let expected = Progress { hints: 1, passed: true, ..Progress::default() };
        assert_eq!(Desk::open(root.path()).unwrap().progress("two"), expected);
    }

    #[test]
    fn progress_is_remembered() {
        let root = checkout();
        let mut desk = Desk::open(root.path()).unwrap();
        assert!(desk.exercise(None).is_err());
        desk.note("two", |progress| progress.hints = 2).unwrap();
        let desk = Desk::open(root.path()).unwrap();
        assert_eq!(desk.exercise(None).unwrap().id, "two");
        assert_eq!(desk.progress("two"), Progress { hints: 2, ..Progress::default() });
    }
}
