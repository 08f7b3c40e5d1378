//! `cargo xtask book`: builds the book, replays what its pages say that one should type, opens it in a browser.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{packages, release, shell};

/// Builds it into `book/build`.
pub(crate) fn build() -> Result<()> {
    shell::run(&mut program())
}

/// Replays what the pages say that one should type (of one page, or of all), and builds the book.
pub(crate) fn check(page: Option<&str>) -> Result<()> {
    let binaries = release::build()?;
    let mut chapters = shell::cargo();
    chapters.args(["build", "--quiet", "--bins"]);
    for package in ["namespaces", "cgroups", "unionfs", "network", "volumes", "images"] {
        chapters.args(["--package", package]);
    }
    shell::run(&mut chapters)?;
    shell::run(program().arg("check").args(page).env("SKIFF_BIN", binaries))
}

/// Opens every page of the built book in a browser without a window.
pub(crate) fn browse(pictures: Option<&Path>) -> Result<()> {
    if !shell::on_path("chromium") {
        packages::install(packages::BROWSER)?;
    }
    shell::run(program().arg("browser").args(pictures))
}

/// The book's own program, which the arguments are for.
fn program() -> Command {
    let mut cargo = shell::cargo();
    cargo.args(["run", "--quiet", "--package", "book", "--"]);
    cargo
}
