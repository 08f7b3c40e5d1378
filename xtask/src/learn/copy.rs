//! A copy of the checkout: to try holes in without touching anybody's files, and for a class.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{desk, exercise, region};
use crate::shell;

/// Makes `to` equal to the checkout at `from`, except that what is the same already is not touched: cargo then compiles
/// only what has changed since the last time. Returns the relative paths of its files.
///
/// Cargo knows a crate by its name, its version and its place *in* the workspace, so that in one target directory those of
/// two copies would take each other's place. `mark` is added to the version of ours, which keeps them apart.
pub(crate) fn refresh(from: &Path, to: &Path, mark: &str) -> Result<Vec<PathBuf>> {
    let files = files(from)?;
    for name in &files {
        let read = || std::fs::read(from.join(name)).with_context(|| format!("cannot read {}", name.display()));
        let content = match name.to_str() {
            Some("Cargo.toml" | "Cargo.lock") => marked(&String::from_utf8(read()?)?, mark).into_bytes(),
            _ => read()?,
        };
        put(&to.join(name), &content)?;
    }
    let wanted: BTreeSet<&PathBuf> = files.iter().collect();
    for name in walk(to, to)? {
        if !wanted.contains(&name) {
            std::fs::remove_file(to.join(&name))?;
        }
    }
    Ok(files)
}

/// A workspace's `Cargo.toml` or `Cargo.lock` with `+mark` behind the version of its own packages: the one that all inherit,
/// and in the lock file those that have no source.
fn marked(toml: &str, mark: &str) -> String {
    let part = |part: &str| {
        let ours = part.starts_with("[workspace.package]")
            || (part.starts_with("[[package]]") && !part.contains("\nsource = "));
        let version = part.lines().find(|line| line.starts_with("version = ")).filter(|_| ours);
        version
            .and_then(|line| line.strip_suffix('"'))
            .map_or_else(|| part.to_owned(), |version| part.replacen(version, &format!("{version}+{mark}"), 1))
    };
    toml.split_inclusive("\n\n").map(part).collect()
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
    refresh(root, directory, "class")?;
    let exercises = exercise::load(directory)?;
    for exercise in &exercises {
        let path = directory.join(exercise.source());
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, region::set(&text, &exercise.id, &exercise.starter)?)?;
        let path = directory.join(&exercise.directory).join("exercises.toml");
        std::fs::write(&path, without_answers(&std::fs::read_to_string(&path)?))?;
    }
    std::fs::write(directory.join(desk::CLASS), include_str!("class.md"))?;
    if shell::on_path("git") {
        shell::run(Command::new("git").current_dir(directory).args(["init", "--quiet"]))?;
    }
    println!("{}: {} holes, no solutions.", directory.display(), exercises.len());
    println!("{} in it says how to begin. Commit it all and hand it out.", desk::CLASS);
    Ok(())
}

/// An `exercises.toml` without the wrong answers themselves: most are the solution with one mistake.
fn without_answers(toml: &str) -> String {
    let mut inside = false;
    let keep = |line: &&str| {
        let begins = line.trim_end() == "code = '''";
        let dropped = inside || begins;
        inside = begins || (inside && line.trim_end() != "'''");
        !dropped
    };
    toml.split_inclusive('\n').filter(keep).collect()
}

/// Every tracked or new file of the checkout; where it is no repository of git, every file.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let Ok(names) = shell::output(&mut git) else { return walk(root, root) };
    // A symbolic link to nowhere, or a file that was just removed, is not there to be copied.
    Ok(names.lines().map(PathBuf::from).filter(|name| root.join(name).is_file()).collect())
}

/// Every file below `directory`, relative to `root`, but for what cargo, git, the book and a learner's desk keep there.
fn walk(root: &Path, directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            if ![".git", ".learn", "target", "build"].iter().any(|kept| name == *kept) {
                found.extend(walk(root, &entry.path())?);
            }
        } else if let Ok(name) = entry.path().strip_prefix(root) {
            found.push(name.to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{marked, without_answers};

    #[test]
    fn only_our_own_packages_are_marked() {
        let toml = "[workspace.package]\nversion = \"0.1.0\"\n\n[workspace.dependencies]\nlibc = \"0.1.0\"\n";
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"b\"\nversion = \"0.1.0\"\nsource = \"c\"\n";
        assert_eq!(marked(toml, "x"), toml.replacen("0.1.0", "0.1.0+x", 1));
        assert_eq!(marked(lock, "x"), lock.replacen("0.1.0", "0.1.0+x", 1));
    }

    #[test]
    fn a_class_gets_the_diagnoses_and_not_the_answers() {
        let toml = "starter = '''\ntodo!()\n'''\nsays = \"a\"\ncode = '''\nb\n'''\nsays = \"c\"\n";
        assert_eq!(without_answers(toml), "starter = '''\ntodo!()\n'''\nsays = \"a\"\nsays = \"c\"\n");
    }
}
