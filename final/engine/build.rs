//! Compiles the probe (`final/probe`) with plain rustc, so that `hello.rs` can carry it inside the engine: the first
//! `run` of a fresh machine needs no registry. Static, because the image has nothing but this one file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    let source = Path::new(&variable("CARGO_MANIFEST_DIR")).join("../probe/src");
    println!("cargo::rerun-if-changed={}", source.display());
    println!("cargo::rerun-if-changed=build.rs");
    let output = PathBuf::from(variable("OUT_DIR")).join("probe");
    let status = Command::new(variable("RUSTC"))
        .args(["--edition", "2024", "--crate-name", "probe", "--target", &variable("TARGET")])
        .args(["-C", "target-feature=+crt-static", "-C", "relocation-model=static"])
        .args(["-C", "opt-level=z", "-C", "panic=abort", "-C", "strip=symbols", "-C", "codegen-units=1"])
        // The same bytes on every machine, so that the image's id is the same as well.
        .args(["--remap-path-prefix", &format!("{}=probe", source.display())])
        .args(["--cap-lints", "allow", "-o"])
        .arg(&output)
        .arg(source.join("main.rs"))
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("the probe did not compile ({status})")),
        Err(error) => fail(&format!("cannot run rustc: {error}")),
    }
    if fs::metadata(&output).is_ok_and(|file| file.len() > 4 << 20) {
        println!("cargo::warning=the probe has grown above 4 MiB; the engine carries it in its own file");
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

fn fail(why: &str) -> ! {
    println!("cargo::error={why}");
    std::process::exit(1)
}
