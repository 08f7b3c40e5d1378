//! What lints cannot check. Each check looks at the tree and says what it found as `path:line: what`.
//!
//! - `lengths.rs`: a file or a function that has outgrown its concept; `unsafe` outside `sys`; docs share of the chapters.
//! - `arrows.rs`: a crate that depends on a later chapter, or on tokio where it must not.
//! - `licences.rs`: a crate from outside whose licence, name or source `deny.toml` does not allow.
//! - `reading_order.rs`: a file named in a reading order that does not exist.

mod arrows;
mod lengths;
mod licences;
mod reading_order;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::shell;

/// Runs every check; fails with the number of findings after printing them all.
pub(crate) fn run() -> Result<()> {
    let root = shell::root();
    let mut findings = arrows::check()?;
    findings.extend(licences::check()?);
    for file in sources(&root)? {
        let text = std::fs::read_to_string(&file)?;
        let name = file.strip_prefix(&root).unwrap_or(&file);
        findings.extend(lengths::check(name, &text));
        findings.extend(reading_order::check(&file, name, &text));
    }
    findings.extend(lengths::docs_share(&root)?);
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("tidy: {} findings", findings.len());
    }
    println!("tidy: nothing to mend");
    Ok(())
}

/// Every tracked or new Rust and Markdown file of the tree.
fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = std::process::Command::new("git");
    git.current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs", "*.md"]);
    let files = shell::output(&mut git)?;
    Ok(files.lines().map(|line| root.join(line)).filter(|path| path.exists()).collect())
}
