//! A whole Debian in a container: its own tools, its own processes, a memory limit that holds.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use skiff_tests::{Daemon, debian_tar};

fn with_debian() -> Daemon {
    let daemon = Daemon::bare(&[]);
    daemon.skiff(&["import", debian_tar().to_str().unwrap(), "debian:latest"]).ok();
    daemon
}

#[test]
fn debian_runs_apt_and_sees_only_its_own_processes() {
    let daemon = with_debian();
    let apt = daemon.skiff(&["run", "--rm", "debian", "apt-get", "--version"]);
    assert!(apt.ok().starts_with("apt "), "{apt}");
    let script = "for p in /proc/[0-9]*; do cat $p/comm; done";
    let own = daemon.skiff(&["run", "--rm", "debian", "bash", "-c", script]);
    assert_eq!(own.ok().lines().collect::<Vec<_>>(), ["bash"]);
    daemon.finish();
}

#[test]
fn a_memory_limit_kills_what_exceeds_it() {
    let daemon = with_debian();
    let eat = ["run", "--name", "eater", "-m", "32m", "debian", "bash", "-c", "x=a; while :; do x=$x$x; done"];
    assert_eq!(daemon.skiff(&eat).code, 137);
    assert_eq!(daemon.skiff(&["inspect", "--format", "{{.State.OOMKilled}}", "eater"]).ok(), "true");
    daemon.skiff(&["rm", "eater"]).ok();
    daemon.finish();
}
