//! The same bundles by us and by other people's runtimes: the program inside must see the same, and end with the same status.
//!
//! Each [`Case`] is one feature or one edge of it. Where a runtime does otherwise, the case says which and why; a difference
//! that is not written down fails the test.
//!
//! 1. `process.rs`: the process, its user, rights, limits.
//! 2. `mounts.rs`: what is mounted, how, and where; devices.
//! 3. `surroundings.rs`: namespaces, cgroups, filters, hooks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]
#![allow(clippy::needless_pass_by_value, clippy::items_after_statements, reason = "cases read like a table")]

#[path = "../bundle/mod.rs"]
mod bundle;
mod mounts;
mod process;
#[path = "../rootfs/mod.rs"]
mod rootfs;
mod surroundings;

use std::process::{Command, Stdio};

use bundle::{Bundle, patch};
use serde_json::{Value, json};

/// One bundle that is run by everybody.
struct Case {
    name: &'static str,
    args: Vec<&'static str>,
    patch: Value,
    /// Whether it must be refused. Everybody has other words and another status for that.
    refused: bool,
    /// Which runtime does otherwise, and why.
    except: Vec<(&'static str, &'static str)>,
}

impl Case {
    /// A program and what is special about the config.
    fn new(name: &'static str, args: &[&'static str], patch: Value) -> Self {
        Self { name, args: args.to_vec(), patch, refused: false, except: Vec::new() }
    }

    /// A shell script.
    fn shell(name: &'static str, script: &'static str, patch: Value) -> Self {
        Self::new(name, &["sh", "-c", script], patch)
    }

    /// A config that nobody may run.
    fn refused(name: &'static str, patch: Value) -> Self {
        Self { refused: true, ..Self::new(name, &["true"], patch) }
    }

    /// `runtime` does otherwise, because of `why`.
    fn except(mut self, runtime: &'static str, why: &'static str) -> Self {
        assert!(!why.is_empty());
        self.except.push((runtime, why));
        self
    }
}

/// What a container did: status and output; nothing for one that was refused.
type Outcome = Option<(Option<i32>, String)>;

/// How many cases run at the same time. Most of a start is waiting for the kernel.
const AT_ONCE: usize = 4;

#[test]
fn other_runtimes_agree() {
    let cases: Vec<_> = [process::cases(), mounts::cases(), surroundings::cases()].into_iter().flatten().collect();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let others: Vec<_> = ["crun", "runc"].into_iter().filter(|other| is_installed(other)).collect();
    // All files are written before the first program is started: a file that a child of another thread has open for
    // writing could not be executed.
    let prepared: Vec<_> = cases.iter().map(|case| (case, bundle_of(case))).collect();
    let differences: Vec<String> = std::thread::scope(|scope| {
        let one = |part: usize| {
            prepared.iter().skip(part).step_by(AT_ONCE).flat_map(|(case, bundle)| compare(case, bundle, &others))
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|part| scope.spawn(move || one(part).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn bundle_of(case: &Case) -> Bundle {
    let bundle = Bundle::new(&format!("agree-{}", case.name), &case.args, case.patch.clone());
    // Older ones do not know newer versions of the specification.
    patch(&bundle, json!({ "ociVersion": "1.0.2" }));
    bundle
}

/// The differences between us and the others, which nobody has given a reason for.
fn compare(case: &Case, bundle: &Bundle, others: &[&str]) -> Vec<String> {
    let ours = bundle.run();
    let said = format!("{ours:?}");
    let ours = outcome(case, ours);
    let mut differences = Vec::new();
    for other in others.iter().filter(|other| case.except.iter().all(|(runtime, _)| runtime != *other)) {
        let theirs = run_by(other, bundle);
        let told = format!("{theirs:?}");
        if ours != outcome(case, theirs) {
            differences.push(format!("{}:\n  skiff-runtime: {said}\n  {other}: {told}", case.name));
        }
    }
    let left = bundle.left();
    if !left.is_empty() {
        differences.push(format!("{}: left behind: {left:?}", case.name));
    }
    differences
}

fn outcome(case: &Case, (status, output, _): (Option<i32>, String, String)) -> Outcome {
    if !case.refused {
        return Some((status, output));
    }
    if status == Some(0) { Some((status, output)) } else { None }
}

fn is_installed(runtime: &str) -> bool {
    let there = Command::new(runtime).arg("--version").output().is_ok();
    if !there {
        eprintln!("{runtime} is not installed: not compared");
    }
    there
}

/// What another runtime cannot do on a hybrid machine is done for it: its view has no unified tree. Its standard input is an empty
/// pipe: crun gives its standard streams to the container's root, and `/dev/null` is everybody's.
fn run_by(runtime: &str, bundle: &Bundle) -> (Option<i32>, String, String) {
    let script = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"";
    let id = format!("{}-{runtime}", bundle.id);
    let output = Command::new("unshare")
        .args(["-m", "--propagation", "private", "sh", "-c", script, "sh", runtime, "--root"])
        .arg(bundle.rootfs.join(runtime))
        .args(["run", "--bundle", bundle.path(), &id])
        .stdin(Stdio::piped())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
