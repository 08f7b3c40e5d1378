//! Bad input: each message names the thing and a way out, the exit code is docker's, and nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

use skiff_tests::{Daemon, Registry, busybox_tar, run};

#[test]
fn names_and_references() {
    let daemon = Daemon::start();
    daemon.skiff(&["run", "--rm", "--pull=never", "no-such-image"]).fails(125, "no-such-image");
    daemon.skiff(&["run", "--rm", "Bad Image"]).fails(125, "invalid reference format");
    daemon.skiff(&["create", "--name", "taken", "busybox"]).ok();
    daemon.skiff(&["run", "--rm", "--name", "taken", "busybox"]).fails(125, "\"/taken\" is already in use");
    daemon.skiff(&["run", "--rm", "--name", "no/slash", "busybox"]).fails(125, "no/slash");
    daemon.skiff(&["rm", "missing"]).fails(1, "No such container: missing");
    daemon.skiff(&["inspect", "missing"]).fails(1, "missing");
    daemon.skiff(&["rm", "taken"]).ok();
    daemon.finish();
}

#[test]
fn commands_and_users() {
    let daemon = Daemon::start();
    daemon.skiff(&["run", "--rm", "busybox", "no-such-command"]).fails(127, "no-such-command");
    daemon.skiff(&["run", "--rm", "busybox", "/etc/passwd"]).fails(126, "/etc/passwd");
    daemon.skiff(&["run", "--rm", "-u", "nobody-here", "busybox", "true"]).fails(125, "nobody-here");
    daemon.skiff(&["run", "--rm", "-u", "4294967296", "busybox", "true"]).fails(125, "4294967296");
    daemon.skiff(&["run", "--rm", "-w", "/etc/passwd", "busybox", "true"]).fails(125, "/etc/passwd");
    assert_eq!(daemon.skiff(&["ps", "-aq"]).ok(), "");
    daemon.finish();
}

#[test]
fn ports_and_mounts() {
    let daemon = Daemon::start();
    daemon.skiff(&["run", "-d", "--name", "first", "-p", "8080:80", "busybox", "sleep", "60"]).ok();
    daemon.skiff(&["run", "--rm", "-p", "8080:80", "busybox", "true"]).fails(125, "8080");
    daemon.skiff(&["run", "--rm", "-p", "not-a-port", "busybox", "true"]).fails(125, "not-a-port");
    let mount = "type=bind,source=/no/such/source,target=/x";
    daemon.skiff(&["run", "--rm", "--mount", mount, "busybox", "true"]).fails(125, "/no/such/source");
    daemon.skiff(&["run", "--rm", "-v", "data:relative", "busybox", "true"]).fails(125, "relative");
    daemon.skiff(&["run", "--rm", "--network", "nowhere", "busybox", "true"]).fails(125, "nowhere");
    daemon
        .skiff(&["run", "--rm", "--memory", "1k", "busybox", "true"])
        .fails(125, "Minimum memory limit allowed is 6MB");
    daemon.skiff(&["rm", "-f", "first"]).ok();
    assert_eq!(daemon.skiff(&["ps", "-aq"]).ok(), "");
    daemon.finish();
}

#[test]
fn archives() {
    let daemon = Daemon::bare(&[]);
    let broken = daemon.directory().join("broken.tar");
    std::fs::write(&broken, b"this is not a tar, it only says so".repeat(100)).unwrap();
    daemon.skiff(&["load", "-i", broken.to_str().unwrap()]).fails(1, "tar");
    let whole = std::fs::read(busybox_tar()).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    assert_ne!(daemon.skiff(&["import", broken.to_str().unwrap(), "half:latest"]).code, 0);
    assert_eq!(daemon.skiff(&["images", "-q", "half"]).ok(), "");
    daemon.finish();
}

#[test]
fn a_wrong_digest_is_refused_and_not_kept() {
    let daemon = Daemon::start();
    let registry = Registry::start(daemon.pid());
    push_busybox(&daemon, &registry.address);
    let wrong = format!("{}/bb@sha256:{}", registry.address, "0".repeat(64));
    let pulled = daemon.skiff(&["pull", &wrong]);
    assert_eq!(pulled.code, 1, "{pulled}");
    assert!(pulled.stderr.contains("0000"), "{pulled}");
    let unknown = format!("{}/bb:missing", registry.address);
    daemon.skiff(&["pull", &unknown]).fails(1, "missing");
    drop(registry);
    daemon.finish();
}

#[test]
fn a_dead_daemon_and_no_permission() {
    let mut skiff = Command::new(skiff_tests::binary("skiff"));
    run(skiff.args(["-H", "unix:///nonexistent/s", "run", "busybox"]), b"").fails(125, "unix:///nonexistent/s");
    let daemon = Daemon::bare(&[]);
    // A user who may not open the socket: the address is there, the permission is not.
    let script = format!("exec {} -H unix://{} ps", skiff_tests::binary("skiff").display(), daemon.socket().display());
    let mut other = Command::new("setpriv");
    other.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "sh", "-c", &script]);
    let denied = run(&mut other, b"");
    assert_ne!(denied.code, 0, "{denied}");
    assert!(denied.stderr.to_lowercase().contains("permission denied"), "{denied}");
    daemon.finish();
}

#[test]
fn a_full_disk_while_loading() {
    // Room for the engine's own image and not for a Debian.
    let daemon = Daemon::on_small_disk(8);
    let full = daemon.skiff(&["import", skiff_tests::debian_tar().to_str().unwrap(), "debian:latest"]);
    full.fails(1, "No space left on device");
    assert_eq!(daemon.skiff(&["images", "-q", "debian"]).ok(), "");
    let used = std::fs::read_dir(daemon.directory().join("data/images/blobs/sha256")).unwrap().count();
    assert!(used <= 3, "{used} blobs are left of an image that was not loaded");
    daemon.finish();
}

/// Pushes busybox to the registry as `bb:latest`, by skopeo from an archive that the daemon saved or imported.
fn push_busybox(daemon: &Daemon, registry: &str) {
    let layout = daemon.directory().join("data/images");
    let source = format!("oci:{}:docker.io/library/busybox:latest", layout.display());
    let target = format!("docker://{registry}/bb:latest");
    daemon.on_host(&["skopeo", "copy", "--quiet", "--dest-tls-verify=false", &source, &target]).ok();
}
