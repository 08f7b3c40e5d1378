//! The includes of the book's pages: `{{#include FILE}}` and `{{#include FILE:ANCHOR}}`.
//!
//! An anchor is a region of a source file between the comments `ANCHOR: name` and `ANCHOR_END: name`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::page::Page;

/// Every include of a page under `pages` whose file or anchor does not exist or is not closed, as `page:line: what`.
pub(crate) fn missing(pages: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(pages).with_context(|| format!("cannot read {}", pages.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            findings.extend(missing(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            let text = std::fs::read_to_string(&path)?;
            for (number, line) in text.lines().enumerate() {
                let problems = targets(line).filter_map(|target| problem(&path, target));
                findings.extend(problems.map(|problem| format!("{}:{}: {problem}", path.display(), number + 1)));
            }
        }
    }
    Ok(findings)
}

/// What each include of a line points to.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next()).map(str::trim)
}

fn problem(page: &Path, target: &str) -> Option<String> {
    let (file, anchor) = target.split_once(':').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let Ok(source) = std::fs::read_to_string(page.parent()?.join(file)) else {
        return Some(format!("{file} does not exist"));
    };
    let anchor = anchor?;
    let marks = |mark: &str| {
        let is_mark = |line: &str| line.trim().trim_start_matches("//").trim() == format!("{mark}: {anchor}");
        source.lines().enumerate().filter(move |(_, line)| is_mark(line)).map(|(number, _)| number).collect::<Vec<_>>()
    };
    match (marks("ANCHOR").as_slice(), marks("ANCHOR_END").as_slice()) {
        ([begin], [end]) if end > begin => {
            let empty = source.lines().skip(begin + 1).take(end - begin - 1).all(|line| line.trim().is_empty());
            empty.then(|| format!("{file}: the anchor {anchor} is empty"))
        }
        ([], _) | (_, []) => Some(format!("{file} has no closed anchor {anchor}")),
        _ => Some(format!("{file} has the anchor {anchor} twice, or its end first")),
    }
}

/// Anchors in the sources that no page includes: somebody has taken out a page's paragraph and left its anchor.
pub(crate) fn unused(pages: &[Page], repository: &Path) -> Result<Vec<String>> {
    let used: Vec<&str> = pages.iter().flat_map(|page| page.text.lines()).flat_map(targets).collect();
    let mut findings = Vec::new();
    for top in ["chapters", "final"] {
        for source in sources(&repository.join(top))? {
            let text = std::fs::read_to_string(&source)?;
            for anchor in text.lines().filter_map(|line| line.trim().strip_prefix("// ANCHOR: ")) {
                let end = format!("{}:{anchor}", source.file_name().and_then(|name| name.to_str()).unwrap_or_default());
                if !used.iter().any(|target| target.ends_with(&end)) {
                    findings.push(format!("{}: no page includes the anchor {anchor}", source.display()));
                }
            }
        }
    }
    Ok(findings)
}

/// Whether the text of any source of the engine is so.
pub(crate) fn any_source(repository: &Path, is_so: impl Fn(&str) -> bool) -> bool {
    let files = ["chapters", "final"].iter().filter_map(|top| sources(&repository.join(top)).ok()).flatten();
    files.into_iter().any(|file| std::fs::read_to_string(file).is_ok_and(|text| is_so(&text)))
}

/// Every Rust file below `directory`.
fn sources(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn a_missing_file_and_an_open_anchor_are_found() {
        let book = tempfile::tempdir().unwrap();
        std::fs::write(book.path().join("a.rs"), "// ANCHOR: whole\nx\n// ANCHOR_END: whole\n// ANCHOR: open\n")
            .unwrap();
        let page = "{{#include a.rs:whole}}\n{{#include a.rs:open}}\n{{#include b.rs}}\n";
        std::fs::write(book.path().join("page.md"), page).unwrap();
        let found: Vec<_> = missing(book.path())
            .unwrap()
            .iter()
            .map(|line| line.rsplit("page.md:").next().unwrap().to_owned())
            .collect();
        assert_eq!(found, ["2: a.rs has no closed anchor open", "3: b.rs does not exist"]);
    }
}
