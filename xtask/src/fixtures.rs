//! The images that tests run, built from Debian packages and kept outside the repository.
//!
//! `busybox.tar` is a root file system of one static program and its names; `debian.tar` is a minimal Debian made by
//! debootstrap. Both are plain tars for `import`; the tests make images of them. They are built once: a directory of the
//! cache that is complete has its final name.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// Where the fixtures are: `$SKIFF_FIXTURES`, or a directory of the system's cache.
pub(crate) fn directory() -> PathBuf {
    std::env::var_os("SKIFF_FIXTURES").map_or_else(|| PathBuf::from("/var/cache/skiff-tests"), PathBuf::from)
}

/// Builds what is missing and returns the directory.
pub(crate) fn build() -> Result<PathBuf> {
    let directory = directory();
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    once(&directory, "busybox.tar", busybox)?;
    once(&directory, "debian.tar", debian)?;
    Ok(directory)
}

/// Calls `make` with a scratch directory and the file to write, unless the file is there already.
fn once(directory: &Path, name: &str, make: fn(&Path, &Path) -> Result<()>) -> Result<()> {
    let file = directory.join(name);
    if file.exists() {
        return Ok(());
    }
    eprintln!("Building the fixture {}", file.display());
    let scratch = tempfile::tempdir_in(directory)?;
    let partial = scratch.path().join(name);
    make(scratch.path(), &partial)?;
    std::fs::rename(&partial, &file)?;
    Ok(())
}

fn busybox(scratch: &Path, tar: &Path) -> Result<()> {
    let root = scratch.join("root");
    for directory in ["bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "var", "www"] {
        std::fs::create_dir_all(root.join(directory))?;
    }
    std::fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    for name in shell::output(Command::new("/bin/busybox").arg("--list"))?.lines() {
        if name != "busybox" {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name))?;
        }
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/home:/bin/sh\n")?;
    std::fs::write(root.join("etc/group"), "root:x:0:\nstaff:x:50:web\nweb:x:1000:\n")?;
    pack(&root, tar)
}

fn debian(scratch: &Path, tar: &Path) -> Result<()> {
    let root = scratch.join("root");
    let mut debootstrap = Command::new("/usr/sbin/debootstrap");
    let release = release()?;
    debootstrap.args(["--variant=minbase", &release]).arg(&root);
    debootstrap.args(mirror(&release)).stdout(std::process::Stdio::null());
    shell::run(&mut debootstrap)?;
    pack(&root, tar)
}

/// The Debian release of this machine, so that debootstrap and the mirror know it.
fn release() -> Result<String> {
    let text = std::fs::read_to_string("/etc/os-release")?;
    let name = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    Ok(name.unwrap_or("bookworm").trim_matches('"').to_owned())
}

/// The mirror that apt itself uses for this release, from its sources in either of their two forms.
fn mirror(release: &str) -> Option<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts = std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let sources = |path: &PathBuf| path.extension().is_some_and(|name| name == "list" || name == "sources");
    files.extend(parts.map(|entry| entry.path()).filter(sources));
    files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).find_map(|text| first_mirror(&text, release))
}

/// The first address of a `deb` line or of a paragraph with `URIs:` that has `release` as one of its suites.
fn first_mirror(sources: &str, release: &str) -> Option<String> {
    let sources: String = sources.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    let lines = sources.lines().filter(|line| line.starts_with("deb "));
    let paragraphs = sources.split("\n\n").filter(|text| text.contains("URIs:"));
    lines.chain(paragraphs).filter(|entry| entry.split_whitespace().any(|word| word == release)).find_map(|entry| {
        let address = entry.split_whitespace().find(|word| word.starts_with("http"))?;
        Some(address.trim_end_matches('/').to_owned())
    })
}

fn pack(root: &Path, tar: &Path) -> Result<()> {
    shell::run(Command::new("tar").arg("-C").arg(root).arg("--numeric-owner").arg("-cf").arg(tar).arg("."))
}

#[cfg(test)]
mod tests {
    use super::first_mirror;

    #[test]
    fn the_mirror_is_read_from_both_forms_of_sources() {
        let line = "# comment\ndeb http://other.example/apt tools main\ndeb [signed-by=/k] http://deb.example/debian bookworm main\n";
        assert_eq!(first_mirror(line, "bookworm").as_deref(), Some("http://deb.example/debian"));
        let field = "# http://old.example/archive\nTypes: deb\nURIs: https://a.example/\nSuites: other\n\nURIs: https://deb.example/debian/\nSuites: trixie trixie-updates\n";
        assert_eq!(first_mirror(field, "trixie").as_deref(), Some("https://deb.example/debian"));
        assert_eq!(first_mirror("Types: deb\n", "trixie"), None);
    }
}
