//! Arrows between the crates: a chapter knows earlier chapters only, the engine knows the chapters, nothing knows the
//! daemon or the command line, and tokio stays in `final/`.

use anyhow::Result;
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// The crates in order. An arrow may only point to a smaller number.
const ORDER: &[(&str, u8)] = &[
    ("namespaces", 1),
    ("cgroups", 2),
    ("unionfs", 3),
    ("network", 4),
    ("volumes", 5),
    ("images", 6),
    ("doctor", 10),
    ("skiff-runtime", 10),
    ("skiff-engine", 20),
    ("skiffd", 30),
];

/// Libraries that belong to the asynchronous part.
const ASYNCHRONOUS: &[&str] = &["tokio", "axum", "hyper", "bollard-stubs"];

/// The findings over the whole workspace.
pub(crate) fn check() -> Result<Vec<String>> {
    let metadata = MetadataCommand::new().current_dir(crate::shell::root()).no_deps().exec()?;
    let mut findings = Vec::new();
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().filter(|each| each.kind == DependencyKind::Normal) {
            findings.extend(judge(package, &dependency.name));
        }
    }
    Ok(findings)
}

fn judge(package: &Package, dependency: &str) -> Option<String> {
    let name = package.name.as_str();
    let from = place(name)?;
    if let Some(to) = place(dependency)
        && to >= from
    {
        return Some(format!("{name} depends on {dependency}, which comes later"));
    }
    let synchronous = from <= 10;
    (synchronous && ASYNCHRONOUS.contains(&dependency))
        .then(|| format!("{name} depends on {dependency}: chapters and the runtime are synchronous"))
}

fn place(name: &str) -> Option<u8> {
    ORDER.iter().find(|(each, _)| *each == name).map(|(_, place)| *place)
}
