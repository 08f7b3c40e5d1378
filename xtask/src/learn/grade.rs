//! The grader: from what a test printed to what a learner wants to know.
//!
//! A failing test knows what was expected and what was found, and says so in the words of its library. This takes those words
//! apart, and adds what the test cannot know: which mistake looks like this. Mistakes are in the exercise's metadata, each
//! with the words that betray it; `verify.rs` proves that each is recognised.

use std::fmt::{self, Write as _};

use super::exercise::Exercise;

/// What the grader says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The graded test ran and passed.
    Passed,
    /// Nothing can be judged before the compiler is content; it has the word.
    DoesNotCompile(String),
    /// The test failed.
    Failed(Finding),
}

/// A failure, understood as far as possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What should have been; empty when the test did not say.
    pub(crate) expected: String,
    /// What was.
    pub(crate) found: String,
    /// The most likely cause.
    pub(crate) cause: String,
    /// Where it is explained.
    pub(crate) read: String,
}

/// Judges the output of `cargo test` or of a test program for this exercise.
pub(crate) fn grade(exercise: &Exercise, output: &str) -> Verdict {
    if output.contains("test result: ok. 1 passed") {
        return Verdict::Passed;
    }
    if !output.contains("test result: ") {
        return Verdict::DoesNotCompile(output.trim().to_owned());
    }
    let (expected, found) = compared(output);
    Verdict::Failed(Finding { expected, found, cause: cause(exercise, output), read: exercise.read.clone() })
}

/// Whether the test failed because the hole is still empty.
pub(crate) fn is_empty_hole(exercise: &Exercise, output: &str) -> bool {
    output.contains(&format!("exercise {}", exercise.id))
}

fn cause(exercise: &Exercise, output: &str) -> String {
    if is_empty_hole(exercise, output) {
        return format!("The hole is still empty: {} has to be written.", exercise.source().display());
    }
    let shows = |word: &String| match word.strip_prefix('!') {
        Some(absent) => !output.contains(absent),
        None => output.contains(word.as_str()),
    };
    let known = |wrong: &&super::exercise::Wrong| wrong.symptom.iter().all(shows);
    match exercise.wrong.iter().find(known) {
        Some(wrong) => wrong.says.clone(),
        None if output.contains("test result: ok. 0 passed") => {
            format!("The graded test {} is gone: it must not be renamed or removed.", exercise.test)
        }
        None => "None of the mistakes that are known here. Compare what was expected with what was found.".to_owned(),
    }
}

/// Expected and found, from the words of `assert_eq!`, of a snapshot, or of any other panic.
fn compared(output: &str) -> (String, String) {
    snapshot(output).or_else(|| equality(output)).unwrap_or_else(|| (String::new(), panic(output)))
}

/// `assert_eq!(found, expected)`: this repository writes the found value on the left.
fn equality(output: &str) -> Option<(String, String)> {
    let (_, after) = output.split_once("left == right` failed")?;
    let (_, after) = after.split_once("\n  left: ")?;
    let (left, after) = after.split_once("\n right: ")?;
    let right = after.lines().next().unwrap_or_default();
    Some((right.to_owned(), left.to_owned()))
}

/// The changed lines of the first snapshot that differs: `-` was expected, `+` was found.
fn snapshot(output: &str) -> Option<(String, String)> {
    let (_, summary) = output.split_once("-old snapshot")?;
    let side = |sign: char| {
        let line = |line: &str| Some(line.split_once('│')?.1.strip_prefix(sign)?.to_owned());
        summary.lines().take_while(|line| !line.contains('┴')).filter_map(line).collect::<Vec<_>>().join("\n")
    };
    Some((side('-'), side('+')))
}

/// The message of the last panic, without its place.
fn panic(output: &str) -> String {
    let message = |text: &str| {
        let lines = text
            .lines()
            .skip(1)
            .take_while(|line| !line.is_empty() && !line.starts_with("note: ") && !line.starts_with("stack backtrace"));
        lines.collect::<Vec<_>>().join("\n")
    };
    output.split("panicked at ").skip(1).last().map_or_else(|| "the test ended without saying why".to_owned(), message)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed\n"),
            Self::DoesNotCompile(words) => {
                write!(f, "{words}\n\nIt does not compile yet. The compiler's words are above.\n")
            }
            Self::Failed(finding) => {
                paragraph(f, "expected", &finding.expected)?;
                paragraph(f, "found", &finding.found)?;
                paragraph(f, "cause", &finding.cause)?;
                paragraph(f, "read", &finding.read)
            }
        }
    }
}

/// A label, and the text beside it, every line as far to the right.
fn paragraph(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    for (number, line) in text.lines().enumerate() {
        let label = if number == 0 { label } else { "" };
        let mut row = String::new();
        write!(row, "  {label:<9} {line}")?;
        writeln!(f, "{}", row.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_is_taken_apart() {
        let output = "thread 'a' panicked at src/a.rs:1:2:\nassertion `left == right` failed: why\n  left: 1\n right: 2\nnote: run\n";
        assert_eq!(compared(output), ("2".to_owned(), "1".to_owned()));
    }

    #[test]
    fn a_snapshot_is_taken_apart() {
        let output = "-old snapshot\n+new results\n────┬───\n  1  1 │ same\n  2    │-was\n     2 │+is\n────┴───\n     9 │+later\n";
        assert_eq!(compared(output), ("was".to_owned(), "is".to_owned()));
    }

    #[test]
    fn any_other_panic_keeps_its_words() {
        let output = "thread 'a' panicked at src/a.rs:1:2:\nno such\nthing\nnote: run with\n";
        assert_eq!(compared(output), (String::new(), "no such\nthing".to_owned()));
    }
}
