//! Sources of Debian packages, by `apt-get source`, whether the machine's own lists have any or not.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::once;
use crate::shell;

/// What upstream has released, as the package `package` has it, unpacked below `directory`. Returns where.
pub(super) fn source(directory: &Path, package: &str) -> Result<PathBuf> {
    let fetched = once(directory, package, |scratch| {
        let apt = |words: &[&str]| {
            let mut apt = Command::new("apt-get");
            apt.current_dir(scratch).arg("-qq").args(words).args(["-o", "APT::Sandbox::User=root"]);
            for (option, below) in [("Etc::SourceParts", "parts"), ("State::Lists", "lists"), ("Cache", "cache")] {
                apt.arg("-o").arg(format!("Dir::{option}={}", scratch.join(below).display()));
            }
            apt.args(["-o", "Dir::Etc::SourceList=/dev/null"]);
            apt
        };
        std::fs::create_dir_all(scratch.join("lists/partial"))?;
        std::fs::create_dir_all(scratch.join("cache/archives/partial"))?;
        ask_for_sources(&scratch.join("parts"))?;
        // A list that some repository lacks is no matter, as long as the package is in another one.
        apt(&["update"]).status().context("cannot start apt-get")?;
        shell::run(&mut apt(&["source", "--download-only", package]))?;
        let archives = std::fs::read_dir(scratch)?.flatten().map(|entry| entry.path());
        let mut archives = archives.filter(|path| path.to_string_lossy().contains(".orig.tar.") && !is_signature(path));
        let archive = archives.next().context("the package has no archive of upstream's")?;
        std::fs::create_dir(scratch.join("tree"))?;
        shell::run(
            Command::new("tar").arg("-C").arg(scratch.join("tree")).arg("--strip-components=1").arg("-xf").arg(archive),
        )
    })?;
    Ok(fetched.join("tree"))
}

fn is_signature(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "asc")
}

/// Writes the machine's lists of packages into `parts`, as lists of sources.
fn ask_for_sources(parts: &Path) -> Result<()> {
    std::fs::create_dir(parts)?;
    let more = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    for (number, file) in more.chain([PathBuf::from("/etc/apt/sources.list")]).enumerate() {
        let Some(kind) = file.extension().and_then(|kind| kind.to_str()) else { continue };
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if matches!(kind, "list" | "sources") {
            std::fs::write(parts.join(format!("{number}.{kind}")), sources(&text))?;
        }
    }
    Ok(())
}

/// A list of packages as the list of their sources, in both of the forms that sources.list(5) knows.
fn sources(list: &str) -> String {
    let line = |line: &str| match line.split_once([' ', ':']) {
        Some(("Types", _)) => "Types: deb-src\n".to_owned(),
        Some(("deb", rest)) => format!("deb-src {rest}\n"),
        _ => format!("{line}\n"),
    };
    list.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_forms_of_a_list_are_turned() {
        let lists =
            "Types: deb\nURIs: http://deb.debian.org/debian\n\ndeb http://deb.debian.org/debian bookworm main\n";
        insta::assert_snapshot!(super::sources(lists), @r"
        Types: deb-src
        URIs: http://deb.debian.org/debian

        deb-src http://deb.debian.org/debian bookworm main
        ");
    }
}
