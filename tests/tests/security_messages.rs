//! What comes in as bytes: lengths that are too large, words that are too many.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use serde_json::json;
use skiff_tests::{Bundle, Daemon, binary, run};

/// CVE-2021-43784: the length of a message between the runtime's two halves was of 16 bits, and a long list of namespaces
/// or variables wrapped around in it.
#[test]
fn long_lists_arrive_whole_or_are_refused() {
    let bundle = || Bundle::new("echo ${#LONG} $(env | grep -c NUMBER)");
    let mut long = bundle();
    let many: Vec<_> = (0..2_000).map(|number| json!(format!("NUMBER{number}=x"))).collect();
    let environment = long.config["process"]["env"].as_array_mut().unwrap();
    environment.extend(many);
    environment.push(json!(format!("LONG={}", "x".repeat(100_000))));
    assert_eq!(long.run().ok(), "100000 2000");
    let mut path = bundle();
    path.config["linux"]["namespaces"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "type": "time", "path": "/".repeat(70_000) }));
    let ran = path.run();
    assert!(ran.code != 0 && !ran.stderr.contains("panicked"), "{ran}");
    let mut host = bundle();
    host.config["hostname"] = json!("h".repeat(70_000));
    assert_ne!(host.run().code, 0);
}

/// The monitor's own dialogue, by hand: whatever comes first, it ends with a word and never with a panic.
#[test]
fn a_runtime_that_is_talked_nonsense_to_ends() {
    for words in [
        &["create"][..],
        &["run", "--bundle"],
        &["exec"],
        &["kill", "x", "99999"],
        &["nonsense"],
        &["state", "../../etc"],
    ] {
        let ran = run(Command::new(binary("skiff-runtime")).args(words), &vec![0xff; 70_000]);
        assert!(ran.code != 0 && !ran.stderr.contains("panicked"), "{ran}");
    }
}

/// CVE-2018-20699: a list of processors is a few characters that stand for as many numbers as one likes.
#[test]
fn lists_of_processors_are_bounded() {
    let daemon = Daemon::start();
    for list in ["1-4294967295", "0-99999999999999999999", "0,", "3-1", "x"] {
        let ran = daemon.skiff(&["run", "--rm", "--cpuset-cpus", list, "busybox", "true"]);
        assert_ne!(ran.code, 0, "{list}: {ran}");
    }
    daemon.finish();
}
