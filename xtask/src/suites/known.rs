//! The list of tests that are not expected to pass, each with its reason, and what it makes of what came out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Outcome, Outcomes};

/// A list as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    #[serde(skip)]
    pub(super) file: PathBuf,
    #[serde(default)]
    pub(super) ran: Option<Ran>,
    #[serde(default)]
    skip: Vec<Group>,
    #[serde(default)]
    fail: Vec<Group>,
}

/// What came out of the last run, for the book.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ran {
    pub(super) date: String,
    pub(super) tests: usize,
    pub(super) passed: usize,
    pub(super) skipped: usize,
}

/// Tests with one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    why: String,
    tests: Vec<String>,
}

/// What came out, beside what was expected.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Failed and not in the list, with what they said.
    pub(super) unexpected: Vec<(String, String)>,
    /// In the list and passed, or not there at all.
    pub(super) outdated: Vec<String>,
    /// How many failed as expected, by reason.
    pub(super) reasons: BTreeMap<String, usize>,
}

impl Judged {
    pub(super) fn expected(&self) -> usize {
        self.reasons.values().sum()
    }

    pub(super) fn failed(&self) -> usize {
        self.expected() + self.unexpected.len()
    }
}

impl Known {
    pub(super) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let known: Self = toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        Ok(Self { file: file.to_owned(), ..known })
    }

    /// The suite that the figures are about; variants of it share the list.
    pub(super) fn name(&self) -> &str {
        self.file.file_stem().and_then(std::ffi::OsStr::to_str).unwrap_or_default()
    }

    /// Beginnings of the names of tests that are not run.
    pub(super) fn skipped(&self) -> Vec<String> {
        self.skip.iter().flat_map(|group| group.tests.clone()).collect()
    }

    /// Why they are not run, and which.
    pub(super) fn reasons_to_skip(&self) -> impl Iterator<Item = (&str, String)> {
        self.skip.iter().map(|group| (group.why.as_str(), group.tests.join(" ")))
    }

    /// Compares.
    pub(super) fn judge(&self, outcomes: &Outcomes) -> Judged {
        let mut judged = Judged::default();
        let mut reasons: BTreeMap<&str, &str> = BTreeMap::new();
        for group in &self.fail {
            reasons.extend(group.tests.iter().map(|test| (test.as_str(), group.why.as_str())));
        }
        for (name, outcome) in outcomes {
            match (outcome, reasons.remove(name.as_str())) {
                (Outcome::Failed(said), None) => judged.unexpected.push((name.clone(), said.clone())),
                (Outcome::Failed(_), Some(why)) => *judged.reasons.entry(why.to_owned()).or_default() += 1,
                (Outcome::Passed, Some(_)) => judged.outdated.push(name.clone()),
                (Outcome::Passed | Outcome::Skipped, _) => {}
            }
        }
        // A name that no test has: the suite has changed, or it is misspelt.
        judged.outdated.extend(reasons.into_keys().map(str::to_owned));
        judged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_compared_in_both_directions() {
        let list = r#"
            [[skip]]
            why = "needs a swarm"
            tests = ["swarm"]
            [[fail]]
            why = "older words"
            tests = ["fails", "passes", "nowhere", "skipped"]
        "#;
        let known: Known = toml::from_str(list).unwrap();
        let failed = || Outcome::Failed("said".into());
        let outcomes = [
            ("fails", failed()),
            ("passes", Outcome::Passed),
            ("skipped", Outcome::Skipped),
            ("new", failed()),
            ("fine", Outcome::Passed),
        ];
        let judged = known.judge(&outcomes.map(|(name, outcome)| (name.to_owned(), outcome)).into());
        let expected = Judged {
            unexpected: vec![("new".into(), "said".into())],
            outdated: vec!["passes".into(), "nowhere".into()],
            reasons: [("older words".to_owned(), 1)].into(),
        };
        assert_eq!(judged, expected);
        assert_eq!((judged.failed(), known.skipped()), (2, vec!["swarm".to_owned()]));
    }
}
