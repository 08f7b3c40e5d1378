//! The suites of runc and crun, from Debian's source packages, with `skiff-runtime` in the place of their own program.
//!
//! Both run as root, in a mount namespace of their own. Their standard input is a pipe: a runtime gives its standard streams to
//! the container's user, and `/dev/null` is everybody's.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::{Bench, Outcome, Outcomes, debian, once};
use crate::packages::Package;
use crate::{fixtures, packages, shell};

/// What the suites are built with and run by.
const TOOLS: &[Package] = &[
    ("bats", "/usr/bin/bats"),
    ("jq", "/usr/bin/jq"),
    ("gcc", "/usr/bin/gcc"),
    ("golang-go", "/usr/bin/go"),
    ("libseccomp-dev", "/usr/include/seccomp.h"),
    ("golang-github-opencontainers-runc-dev", "/usr/share/gocode/src/github.com/opencontainers/runc"),
    ("golang-github-urfave-cli-dev", "/usr/share/gocode/src/github.com/urfave/cli"),
    ("golang-github-containerd-console-dev", "/usr/share/gocode/src/github.com/containerd/console"),
    ("golang-github-sirupsen-logrus-dev", "/usr/share/gocode/src/github.com/sirupsen/logrus"),
    ("golang-github-seccomp-libseccomp-golang-dev", "/usr/share/gocode/src/github.com/seccomp/libseccomp-golang"),
];

/// What `hello-world` says, as a program without libraries.
const HELLO: &str = "#include <unistd.h>\nint main(){return write(1,\"\\nHello from Docker!\\n\",20)!=20;}\n";

/// runc's integration tests, in bats.
pub(super) fn runc(bench: &Bench) -> Result<Outcomes> {
    packages::install(TOOLS)?;
    let source = debian::source(&bench.directory, "runc")?;
    for helper in ["recvtty", "sd-helper", "seccompagent"] {
        let mut build = Command::new("go");
        build
            .current_dir(source.join("contrib/cmd").join(helper))
            .args(["build", "-tags", "seccomp", "-o", helper, "."]);
        shell::run(build.env("GO111MODULE", "off").env("GOPATH", "/usr/share/gocode"))?;
    }
    let images = images(&bench.directory)?;
    let names = ["BUSYBOX", "HELLO", "DEBIAN"];
    let lines = names.map(|name| format!("echo {name}_IMAGE={}/{}.tar\n", images.display(), name.to_lowercase()));
    std::fs::write(source.join("tests/integration/get-images.sh"), format!("#!/bin/sh\n{}", lines.concat()))?;
    let scratch = tempfile::tempdir()?;
    let mut bats = private("bats");
    bats.current_dir(&source).args(["--tap", "tests/integration"]);
    bats.env("RUNC", skiff_tests::binary("skiff-runtime")).env("TMPDIR", scratch.path());
    Ok(tap(&said(&mut bats)?, "").collect())
}

/// crun's tests, in Python.
pub(super) fn crun(bench: &Bench) -> Result<Outcomes> {
    packages::install(TOOLS)?;
    let source = debian::source(&bench.directory, "crun")?;
    // The program that runs in the containers. Of what configure finds out it needs nothing.
    std::fs::write(source.join("tests/config.h"), "")?;
    let mut compile = Command::new("gcc");
    compile.current_dir(&source).args(["-static", "-D_GNU_SOURCE", "-Itests", "-o", "tests/init", "tests/init.c"]);
    shell::run(&mut compile)?;
    let mut files: Vec<_> = std::fs::read_dir(source.join("tests"))?.flatten().map(|entry| entry.file_name()).collect();
    files.sort();
    let mut outcomes = Outcomes::new();
    for file in files.iter().filter_map(|file| file.to_str()?.strip_suffix(".py")?.strip_prefix("test_")) {
        let mut python = private("timeout");
        python.current_dir(&source).args(["600", "/usr/bin/python3"]).arg(format!("tests/test_{file}.py"));
        python.env("OCI_RUNTIME", skiff_tests::binary("skiff-runtime")).env("INIT", source.join("tests/init"));
        outcomes.extend(tap(&said(&mut python)?, &format!("{file}: ")));
    }
    Ok(outcomes)
}

/// The images that runc's tests would fetch: busybox and Debian as ours, without the directories that a runtime must make.
fn images(directory: &Path) -> Result<std::path::PathBuf> {
    let ours = fixtures::build()?;
    once(directory, "images", |scratch| {
        let (root, hello) = (scratch.join("root"), scratch.join("hello"));
        std::fs::create_dir(&root)?;
        std::fs::create_dir(&hello)?;
        let tar = |directory: &Path, how: &str, archive: &Path| {
            shell::run(
                Command::new("tar")
                    .arg("-C")
                    .arg(directory)
                    .arg(how)
                    .arg(archive)
                    .args(["--exclude=./proc", "--exclude=./sys"])
                    .arg("."),
            )
        };
        shell::run(Command::new("tar").arg("-C").arg(&root).arg("-xf").arg(ours.join("busybox.tar")))?;
        tar(&root, "-cf", &scratch.join("busybox.tar"))?;
        std::fs::write(scratch.join("hello.c"), HELLO)?;
        let mut compile = Command::new("gcc");
        shell::run(compile.arg("-static").arg("-o").arg(hello.join("hello")).arg(scratch.join("hello.c")))?;
        tar(&hello, "-cf", &scratch.join("hello.tar"))?;
        Ok(std::os::unix::fs::symlink(ours.join("debian.tar"), scratch.join("debian.tar"))?)
    })
}

/// A program in a mount namespace of its own.
fn private(program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", program]);
    command
}

/// What a program has said in the end, however it ended.
fn said(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("cannot start unshare")?;
    drop(child.stdin.take());
    let output = child.wait_with_output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The Test Anything Protocol: `ok 1 NAME`, `not ok 2 - NAME`, `ok 3 NAME # skip WHY`, each followed by lines that begin with `#`.
fn tap<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = (String, Outcome)> + 'a {
    let lines: Vec<&str> = text.lines().collect();
    (0..lines.len()).filter_map(move |place| {
        let (line, after) = lines.get(place..)?.split_first()?;
        let (failed, rest) = match line.strip_prefix("not ") {
            Some(rest) => (true, rest),
            None => (false, *line),
        };
        let (_, name) = rest.strip_prefix("ok ")?.split_once(' ')?;
        let (name, skipped) = match name.split_once('#') {
            Some((name, note)) => (name, note.trim_start().to_lowercase().starts_with("skip")),
            None => (name, false),
        };
        let outcome = match (failed, skipped) {
            (true, _) => {
                let notes = after.iter().map_while(|line| line.strip_prefix('#')).map(str::trim);
                Outcome::Failed(notes.filter(|note| !note.is_empty()).take(2).collect::<Vec<_>>().join(" "))
            }
            (false, true) => Outcome::Skipped,
            (false, false) => Outcome::Passed,
        };
        Some((format!("{before}{}", name.trim_start_matches("- ").trim()), outcome))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_are_read() {
        let text = "1..4\nok 1 runc create\nok 2 checkpoint # skip test requires criu\nnot ok 3 - mount-ro\n# (in test file)\n#   `x' failed\nok 4 - seccomp #SKIP\n";
        let expected = [
            ("m: runc create", Outcome::Passed),
            ("m: checkpoint", Outcome::Skipped),
            ("m: mount-ro", Outcome::Failed("(in test file) `x' failed".into())),
            ("m: seccomp", Outcome::Skipped),
        ];
        let read: Vec<_> = tap(text, "m: ").collect();
        assert_eq!(read, expected.map(|(name, outcome)| (name.to_owned(), outcome)));
    }
}
