//! What comes in from outside, against `deny.toml`: the licence of every crate, those that must not come in, and where they
//! come from. The file is cargo-deny's, and `cargo deny check` can be used with it; what it says is checked here, because
//! this needs neither the network nor ten minutes of compiling. Advisories do: `cargo deny check advisories`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use cargo_metadata::{MetadataCommand, Package};
use serde::Deserialize;
use spdx::{Expression, LicenseReq, ParseMode};

/// The part of `deny.toml` that is read.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Licenses {
    /// Names of the SPDX list, with an exception where one is meant: `Apache-2.0 WITH LLVM-exception`.
    allow: Vec<String>,
    /// More of them, for single crates.
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    name: String,
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
}

/// The findings over everything that the lock file names.
pub(crate) fn check() -> Result<Vec<String>> {
    let root = crate::shell::root();
    let text = std::fs::read_to_string(root.join("deny.toml")).context("cannot read deny.toml")?;
    let deny: Deny = toml::from_str(&text).context("cannot read deny.toml")?;
    let metadata = MetadataCommand::new().current_dir(root).exec()?;
    let mut findings: Vec<_> = metadata.packages.iter().flat_map(|package| judge(&deny, package)).collect();
    let there = |name: &str| metadata.packages.iter().any(|package| package.name.as_str() == name);
    let unused = deny.licenses.exceptions.iter().filter(|exception| !there(&exception.name));
    findings.extend(unused.map(|exception| format!("deny.toml: no crate {} is used any more", exception.name)));
    Ok(findings)
}

fn judge(deny: &Deny, package: &Package) -> Vec<String> {
    let (name, licence) = (package.name.as_str(), package.license.as_deref().unwrap_or_default());
    let mut findings = Vec::new();
    if deny.bans.deny.iter().any(|banned| banned.name == name) {
        findings.push(format!("{name} is used, and deny.toml says why it must not be"));
    }
    // Without a source it is in this repository.
    if package.source.as_ref().is_some_and(|source| !source.is_crates_io()) {
        findings.push(format!("{name} does not come from crates.io"));
    }
    let more: BTreeMap<_, _> = deny.licenses.exceptions.iter().map(|each| (each.name.as_str(), &each.allow)).collect();
    let allowed: Vec<&String> =
        deny.licenses.allow.iter().chain(more.get(name).into_iter().copied().flatten()).collect();
    if !permits(licence, &allowed) {
        findings.push(format!("{name} has the licence {licence:?}, which deny.toml does not allow"));
    }
    findings
}

/// Whether the allowed licences satisfy the expression: one side of each `OR`, both of each `AND`.
fn permits(licence: &str, allowed: &[&String]) -> bool {
    let is_allowed = |asked: &LicenseReq| allowed.iter().any(|licence| **licence == asked.to_string());
    Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| expression.evaluate(is_allowed))
}

#[cfg(test)]
mod tests {
    use super::permits;

    #[test]
    fn an_expression_is_more_than_a_name() {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        let allowed: Vec<_> = allowed.iter().collect();
        for good in
            ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(MIT OR X11) AND ISC", "Apache-2.0 WITH LLVM-exception"]
        {
            assert!(permits(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "no licence at all"] {
            assert!(!permits(bad, &allowed), "{bad}");
        }
    }
}
