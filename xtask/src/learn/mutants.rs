//! All holes and all wrong answers in one compilation.
//!
//! To compile the workspace once for every hole and every wrong answer would take most of an hour. So the copy gets each
//! region as a choice, made when the program runs, by an environment variable:
//!
//! ```text
//! match std::env::var("SKIFF_EXERCISE").as_deref() {
//!     Ok("ID") => { the starter }
//!     Ok("ID/0") => { the first wrong answer }
//!     _ => { the solution }
//! }
//! ```

use std::path::Path;

use anyhow::{Result, bail};

use super::exercise::Exercise;
use super::{copy, region};

/// The variable that makes the choice.
pub(crate) const CHOICE: &str = "SKIFF_EXERCISE";

/// Opens every hole in the copy.
pub(crate) fn punch(tree: &Path, exercises: &[Exercise]) -> Result<()> {
    rewrite(tree, exercises, |exercise, _| exercise.starter.clone())
}

/// Makes every region of the copy a choice.
pub(crate) fn choose(tree: &Path, exercises: &[Exercise]) -> Result<()> {
    rewrite(tree, exercises, choice)
}

/// The name of a wrong answer for the variable.
pub(crate) fn wrong_name(exercise: &Exercise, number: usize) -> String {
    format!("{}/{number}", exercise.id)
}

fn choice(exercise: &Exercise, solution: &str) -> String {
    let arm = |name: &str, code: &str| format!("Ok({name:?}) => {{\n{code}\n}}\n");
    let wrong = exercise.wrong.iter().enumerate();
    let wrong: String = wrong.map(|(number, wrong)| arm(&wrong_name(exercise, number), &wrong.code)).collect();
    let starter = arm(&exercise.id, &exercise.starter);
    format!("match ::std::env::var({CHOICE:?}).as_deref() {{\n{starter}{wrong}_ => {{\n{solution}}}\n}}\n")
}

/// Source by source, because one may have several regions.
fn rewrite(tree: &Path, exercises: &[Exercise], content: impl Fn(&Exercise, &str) -> String) -> Result<()> {
    let mut sources: Vec<_> = exercises.iter().map(Exercise::source).collect();
    sources.sort();
    sources.dedup();
    for source in sources {
        let path = tree.join(&source);
        let mut text = std::fs::read_to_string(&path)?;
        let here: Vec<&Exercise> = exercises.iter().filter(|exercise| exercise.source() == source).collect();
        for id in region::ids(&text)? {
            if !here.iter().any(|exercise| exercise.id == id) {
                bail!("{}: the region {id} has no entry in exercises.toml", source.display());
            }
        }
        for exercise in here {
            let solution = region::get(&text, &exercise.id)?;
            text = region::set(&text, &exercise.id, &content(exercise, &solution))?;
        }
        copy::put(&path, text.as_bytes())?;
    }
    Ok(())
}
