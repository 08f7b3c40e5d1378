//! The static release binaries.
//!
//! `skiff`, `skiffd` and `skiff-runtime` are built static and at a fixed address: executing such a program costs half of
//! what a dynamic one costs, and every `skiff run` executes two of them. The explicit `--target` keeps the flags away from
//! build scripts and procedural macros, which must stay dynamic.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{packages, shell};

const TARGET: &str = "x86_64-unknown-linux-gnu";
const STATIC: &str = "-C target-feature=+crt-static -C relocation-model=static";

/// Builds the binaries and returns the directory that holds them.
pub(crate) fn build() -> Result<PathBuf> {
    let mut cargo = shell::cargo();
    cargo.args(["build", "--quiet", "--release", "--target", TARGET]);
    cargo.args(["-p", "skiff", "-p", "skiffd", "-p", "skiff-runtime"]).env("RUSTFLAGS", STATIC);
    shell::run(&mut cargo)?;
    Ok(directory())
}

/// Builds the binaries and becomes `skiff`.
pub(crate) fn skiff(arguments: &[String]) -> Result<()> {
    if !directory().join("skiff").exists() {
        eprintln!("Building the static release binaries; the first time takes a few minutes.");
    }
    if let Err(error) = packages::install(packages::RUN) {
        eprintln!("{error:#}; a container on a bridge network needs it, others do not");
    }
    let error = Command::new(build()?.join("skiff")).args(arguments).exec();
    Err(error.into())
}

fn directory() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), PathBuf::from);
    target.join(TARGET).join("release")
}
