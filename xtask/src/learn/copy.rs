//! A copy of the checkout: to try holes in without touching anybody's files, and for a class.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{exercise, region};
use crate::shell;

/// Makes `to` equal to the checkout at `from`, except that what is the same already is not touched: cargo then compiles
/// only what has changed since the last time. Returns the relative paths of its files.
pub(crate) fn refresh(from: &Path, to: &Path) -> Result<Vec<PathBuf>> {
    let files = files(from)?;
    for name in &files {
        put(
            &to.join(name),
            &std::fs::read(from.join(name)).with_context(|| format!("cannot read {}", name.display()))?,
        )?;
    }
    let wanted: BTreeSet<&PathBuf> = files.iter().collect();
    for name in walk(to, to)? {
        if !wanted.contains(&name) {
            std::fs::remove_file(to.join(&name))?;
        }
    }
    Ok(files)
}

/// Writes a file of the copy, unless it has this content already.
pub(crate) fn put(path: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    std::fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// `learn export`: every hole open, no solutions, ready to hand out.
pub(crate) fn export(root: &Path, directory: &Path) -> Result<()> {
    if std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("{} is not empty; name a new directory", directory.display());
    }
    refresh(root, directory)?;
    let exercises = exercise::load(directory)?;
    for exercise in &exercises {
        let path = directory.join(exercise.source());
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, region::set(&text, &exercise.id, &exercise.starter)?)?;
    }
    shell::run(Command::new("git").current_dir(directory).args(["init", "--quiet"]))?;
    println!("{}: {} holes, no solutions. Commit it and hand it out.", directory.display(), exercises.len());
    Ok(())
}

/// Every tracked or new file of the checkout.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let names = shell::output(&mut git)?;
    // A symbolic link to nowhere, or a file that was just removed, is not there to be copied.
    Ok(names.lines().map(PathBuf::from).filter(|name| root.join(name).is_file()).collect())
}

/// Every file below `directory`, relative to `root`.
fn walk(root: &Path, directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(walk(root, &entry.path())?);
        } else if let Ok(name) = entry.path().strip_prefix(root) {
            found.push(name.to_owned());
        }
    }
    Ok(found)
}
