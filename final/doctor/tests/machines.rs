//! Machines as they are recorded: what each of them is told.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;

use doctor::{Machine, State, examine, report};

/// A recording: a few files of a machine, written down in one text as `== PATH` and the content below it.
fn recorded(text: &str, user: u32) -> (tempfile::TempDir, Machine) {
    let root = tempfile::tempdir().unwrap();
    for part in text.split("== ").skip(1) {
        let (path, content) = part.split_once('\n').unwrap();
        let file = root.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    let machine = Machine::recorded(root.path(), user);
    (root, machine)
}

fn page(name: &str, user: u32) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines").join(name);
    let (_root, machine) = recorded(&std::fs::read_to_string(file).unwrap(), user);
    report(&examine(&machine))
}

#[test]
fn debian_with_version_2() {
    insta::assert_snapshot!(page("debian-13", 0));
}

#[test]
fn ubuntu_as_an_ordinary_user() {
    insta::assert_snapshot!(page("ubuntu-24.04", 1000));
}

#[test]
fn in_a_container() {
    insta::assert_snapshot!(page("container", 0));
}

#[test]
fn in_wsl_2() {
    insta::assert_snapshot!(page("wsl-2", 0));
}

#[test]
fn an_old_machine_with_version_1() {
    insta::assert_snapshot!(page("centos-7", 0));
}

#[test]
fn a_recording_of_nothing_misses_everything() {
    let (_root, machine) = recorded("", 1000);
    assert!(examine(&machine).iter().all(|finding| finding.state == State::Missing));
}

#[test]
fn this_machine_runs_the_tests_so_it_has_the_first_chapters_needs() {
    let findings = examine(&Machine::this());
    let missing = |finding: &&doctor::Finding| finding.chapter == 1 && finding.state == State::Missing;
    assert_eq!(findings.iter().find(missing), None);
    assert!((1..=4).all(|chapter| findings.iter().any(|finding| finding.chapter == chapter)));
}
