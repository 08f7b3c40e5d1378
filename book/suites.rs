//! `{{suites}}` in a page: what came out of other people's test suites, from the lists in `tests/suites`. `cargo xtask suites`
//! holds the lists against what comes out, so the table is as true as its last run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// The part of a suite's list that is shown.
#[derive(Deserialize)]
struct List {
    /// `None` when the suite has not been run as a whole with this list yet: then there is nothing to show.
    ran: Option<Ran>,
    #[serde(default)]
    skip: Vec<Group>,
    #[serde(default)]
    fail: Vec<Group>,
}

/// The last run.
#[derive(Deserialize)]
struct Ran {
    date: String,
    tests: usize,
    passed: usize,
    skipped: usize,
}

/// Tests with one reason.
#[derive(Deserialize)]
struct Group {
    why: String,
    tests: Vec<String>,
}

/// A table of the suites that were run, and for each one the reasons why tests fail or are not run.
pub(crate) fn table(repository: &Path) -> Result<String> {
    let directory = repository.join("tests/suites");
    let mut lists = BTreeMap::new();
    for entry in std::fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let list: List = toml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))?;
        if list.ran.is_some() {
            lists.insert(path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), list);
        }
    }
    let mut page =
        "| suite | tests | passed | failed | left out by the suite itself | run |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for (name, ran) in lists.iter().filter_map(|(name, list)| Some((name, list.ran.as_ref()?))) {
        let failed = ran.tests.saturating_sub(ran.passed + ran.skipped);
        writeln!(page, "| `{name}` | {} | {} | {failed} | {} | {} |", ran.tests, ran.passed, ran.skipped, ran.date)?;
    }
    for (name, list) in &lists {
        page.push_str(&reasons(name, list));
    }
    Ok(page)
}

fn reasons(name: &str, list: &List) -> String {
    let row = |group: &Group, what: &str| format!("| {} | {what} |\n", group.why);
    let failing = list.fail.iter().map(|group| row(group, &format!("{} failed", group.tests.len())));
    let left_out = list.skip.iter().map(|group| row(group, &format!("not run: `{}`", group.tests.join("`, `"))));
    let rows: String = failing.chain(left_out).collect();
    format!("\n## What fails in {name}, and why\n\n| reason | tests |\n|---|---|\n{rows}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_shown_with_its_last_run() {
        let page = table(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap();
        assert!(page.contains("| `docker-py` |"), "{page}");
    }

    #[test]
    fn reasons_are_rows() {
        let list = "ran = { date = \"d\", tests = 3, passed = 1, skipped = 0 }\n[[fail]]\nwhy = \"older\"\ntests = [\"a\", \"b\"]\n[[skip]]\nwhy = \"swarm\"\ntests = [\"c.py\"]\n";
        let shown = reasons("demo", &toml::from_str(list).unwrap());
        assert!(shown.ends_with("| older | 2 failed |\n| swarm | not run: `c.py` |\n"), "{shown}");
    }
}
