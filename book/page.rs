//! A page as the checks see it: its text, and the fenced blocks in it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// One page of the book.
pub(crate) struct Page {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What is in it.
    pub(crate) text: String,
}

/// What stands between two fences.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// Line of the opening fence, from 1.
    pub(crate) line: usize,
    /// What stands behind the opening fence: `console`, `rust`.
    pub(crate) info: &'a str,
    /// The lines between the fences.
    pub(crate) lines: Vec<&'a str>,
    /// The comment on the line before the opening fence: why a block is not replayed.
    pub(crate) remark: Option<&'a str>,
}

impl Page {
    /// Every page below `directory`, in the order of their paths.
    pub(crate) fn all(directory: &Path) -> Result<Vec<Self>> {
        let mut pages = Vec::new();
        for entry in std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                pages.extend(Self::all(&path)?);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let text = std::fs::read_to_string(&path)?;
                pages.push(Self { path, text });
            }
        }
        pages.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(pages)
    }

    /// Its file name.
    pub(crate) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Its fenced blocks.
    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        blocks(&self.text)
    }

    /// `book/src/page.md:7`, for messages.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("book/src/{}:{line}", self.name())
    }

    /// Its lines that are not in a fenced block, with their numbers.
    pub(crate) fn prose(&self) -> Vec<(usize, &str)> {
        let mut fenced = false;
        let mut prose = Vec::new();
        for (number, line) in self.text.lines().enumerate() {
            if line.starts_with("```") {
                fenced = !fenced;
            } else if !fenced {
                prose.push((number + 1, line));
            }
        }
        prose
    }
}

/// The blocks between lines that begin with three backticks.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    let mut before = "";
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                let remark = before.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                open = Some(Block { line: number + 1, info: info.trim(), lines: Vec::new(), remark });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.lines.push(line),
            (None, None) => {}
        }
        before = line;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_have_their_line_and_their_remark() {
        let text = "a\n<!-- not replayed: why -->\n```console\n$ x\ny\n```\n\n```rust\n```\n";
        let found = blocks(text);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].line, found[0].info, found[0].remark), (3, "console", Some("not replayed: why")));
        assert_eq!(found[0].lines, ["$ x", "y"]);
        assert_eq!(found[1].remark, None);
    }
}
