//! The test programs that run in the guest, and the programs that they test: as cargo has built them for the tests here.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::shell;

/// The packages whose tests meet the kernel's cgroups.
pub(crate) const PACKAGES: &[&str] = &["cgroups", "namespaces", "skiff-runtime"];

/// Their test programs that do. Tests without a kernel say the same everywhere, and seccomp asks nothing of cgroups.
const TESTS: &[&str] = &["cgroups kernel", "cgroups binary", "namespaces launch", "skiff-runtime oci"];

/// What cargo has built of a package.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) file: PathBuf,
    /// The package's directory, in which cargo runs its tests.
    pub(crate) home: PathBuf,
    /// `cgroups kernel`; `None` is a program that tests start.
    pub(crate) test: Option<String>,
}

/// Builds them with these arguments of `cargo test`, if that has not been done yet.
pub(crate) fn build(built: &[&str]) -> Result<Vec<Program>> {
    let mut cargo = shell::cargo();
    cargo.args(["test", "--no-run", "--quiet", "--message-format=json"]).args(built);
    let output = shell::output(&mut cargo)?;
    let messages = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.filter_map(|message| program(&message).transpose()).collect()
}

/// One `compiler-artifact` message of cargo ("External tools" of its book).
fn program(message: &Value) -> Result<Option<Program>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let Some(file) = message.get("executable").and_then(text) else { return Ok(None) };
    let manifest = message.get("manifest_path").and_then(text).context("cargo names no manifest")?;
    let home = PathBuf::from(manifest).parent().context("a manifest is in a directory")?.to_path_buf();
    let id = message.get("package_id").and_then(text).unwrap_or_default();
    let Some(package) = PACKAGES.iter().find(|name| is_of(&id, name)) else { return Ok(None) };
    let target = message.pointer("/target/name").and_then(text).unwrap_or_default();
    let name = format!("{package} {target}");
    let is_test = message.pointer("/profile/test") == Some(&Value::Bool(true));
    if is_test && !TESTS.contains(&name.as_str()) {
        return Ok(None);
    }
    Ok(Some(Program { file: file.into(), home, test: is_test.then_some(name) }))
}

/// `path+file:///skiff/chapters/02-cgroups#cgroups@0.1.0`, or without the name where the directory has it.
fn is_of(id: &str, package: &str) -> bool {
    let (place, name) = id.rsplit_once('#').unwrap_or((id, ""));
    match name.split_once('@') {
        Some((name, _)) => name == package,
        None => place.ends_with(&format!("/{package}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_known_by_its_id() {
        assert!(is_of("path+file:///skiff/chapters/02-cgroups#cgroups@0.1.0", "cgroups"));
        assert!(is_of("path+file:///skiff/final/skiff-runtime#0.1.0", "skiff-runtime"));
        assert!(!is_of("path+file:///skiff/chapters/02-cgroups#cgroups@0.1.0", "namespaces"));
    }

    #[test]
    fn a_test_program_and_one_that_it_starts() {
        let message = |test: bool| {
            serde_json::json!({
                "executable": "/t/kernel-1", "manifest_path": "/skiff/chapters/02-cgroups/Cargo.toml",
                "package_id": "path+file:///skiff/chapters/02-cgroups#cgroups@0.1.0",
                "target": {"name": "kernel"}, "profile": {"test": test},
            })
        };
        let test = program(&message(true)).unwrap().unwrap();
        assert_eq!(
            (test.test.as_deref(), test.home.to_str()),
            (Some("cgroups kernel"), Some("/skiff/chapters/02-cgroups"))
        );
        assert_eq!(program(&message(false)).unwrap().unwrap().test, None);
        assert!(program(&serde_json::json!({"reason": "build-finished"})).unwrap().is_none());
    }
}
