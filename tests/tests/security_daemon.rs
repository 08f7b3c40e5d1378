//! What has gone wrong in other daemons, tried on ours: clients that leave, output that nobody reads, programs of a container
//! that the daemon might run, lists without end, files that others can reach.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use skiff_tests::Daemon;

fn eventually(mut holds: impl FnMut() -> bool, otherwise: impl Fn() -> String) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Kilobytes of memory that a process has.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or(0)
}

fn parent_of(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}

/// Sends a request that turns the connection into a stream, and returns it with the head of the answer read.
fn hijack(daemon: &Daemon, path: &str, body: &str) -> UnixStream {
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.extend_from_slice(&byte);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

fn running(daemon: &Daemon, name: &str, script: &str) -> u32 {
    daemon.docker(&["run", "-d", "--name", name, "busybox", "sh", "-c", script]).ok();
    daemon.docker(&["inspect", "--format", "{{.State.Pid}}", name]).ok().parse().unwrap()
}

/// CVE-2022-23471, CVE-2025-64329: each attach that was given up left something in the daemon.
#[test]
fn abandoned_clients_leave_nothing() {
    let daemon = Daemon::start();
    let pid = running(&daemon, "up", "while :; do echo tick; sleep 0.2; done");
    let monitor = parent_of(pid);
    let count = || (descriptors(daemon.pid()), descriptors(monitor));
    // The first client may leave something that is kept for all that follow.
    drop(hijack(&daemon, "/containers/up/attach?stream=1&stdout=1", ""));
    eventually(|| count().1 > 0, || "no monitor".into());
    let before = count();
    for _ in 0..if std::env::var("SKIFF_SOAK").is_ok() { 1000 } else { 60 } {
        drop(hijack(&daemon, "/containers/up/attach?stream=1&stdout=1&stderr=1&stdin=1", ""));
        let _half_a_request =
            UnixStream::connect(daemon.socket()).unwrap().write_all(b"POST /containers/up/resize?h=1");
    }
    eventually(
        || count().0 <= before.0 + 2 && count().1 <= before.1 + 2,
        || format!("descriptors of daemon and monitor: {before:?} before, {:?} after", count()),
    );
    daemon.docker(&["rm", "-f", "up"]).ok();
    daemon.finish();
}

/// CVE-2022-31030: the output of an exec was kept in memory as long as nobody read it.
#[test]
fn output_that_nobody_reads_is_not_kept() {
    let daemon = Daemon::start();
    let pid = running(&daemon, "up", "exec sleep 1000");
    let before = resident(daemon.pid()) + resident(parent_of(pid));
    let made = daemon.on_host(&[
        "curl",
        "-s",
        "--unix-socket",
        &daemon.socket().display().to_string(),
        "-H",
        "Content-Type: application/json",
        "-d",
        r#"{"AttachStdout":true,"Cmd":["yes","a line of some length that is written as fast as can be"]}"#,
        "http://d/containers/up/exec",
    ]);
    let id = made.ok().split('"').nth(3).unwrap().to_owned();
    let stream = hijack(&daemon, &format!("/exec/{id}/start"), "{}");
    let find = || daemon.docker(&["inspect", "--format", "{{.State.Pid}}", "up"]).ok().to_owned();
    assert_eq!(find(), pid.to_string());
    // Long enough for hundreds of megabytes.
    std::thread::sleep(Duration::from_secs(2));
    let after = resident(daemon.pid()) + resident(parent_of(pid));
    assert!(after < before + 40_000, "{before} kB before, {after} kB after");
    drop(stream);
    daemon.docker(&["rm", "-f", "up"]).ok();
    daemon.finish();
}

/// CVE-2022-1227: `top` ran the container's own programs with the host's rights.
#[test]
fn nothing_of_a_container_is_run_to_look_at_it() {
    let daemon = Daemon::start();
    let script = "for name in ps nsenter sh.real; do printf '#!/bin/sh\\ntouch /run-by-somebody\\n' > /bin/$name.new; \
                  chmod +x /bin/$name.new; mv /bin/$name.new /bin/$name; done; echo ready; exec sleep 1000";
    running(&daemon, "up", script);
    eventually(|| daemon.docker(&["logs", "up"]).stdout.contains("ready"), || "it is not ready".into());
    assert!(daemon.docker(&["top", "up"]).ok().contains("sleep 1000"));
    daemon.docker(&["stats", "--no-stream", "up"]).ok();
    daemon.docker(&["inspect", "--size", "up"]).ok();
    daemon.docker(&["exec", "up", "test", "!", "-e", "/run-by-somebody"]).ok();
    daemon.docker(&["rm", "-f", "up"]).ok();
    daemon.finish();
}

/// CVE-2018-20699: a list of four billion processors was made one by one.
#[test]
fn a_list_of_processors_is_not_counted_out() {
    let daemon = Daemon::start();
    let before = resident(daemon.pid());
    for list in ["1-4294967295", "0-99999999999999999999", "0,,1", "1-0", "0-1000000"] {
        let ran = daemon.docker(&["create", "--cpuset-cpus", list, "busybox", "true"]);
        if ran.code == 0 {
            // Whether the machine has them is found out at the start.
            let id = ran.ok().to_owned();
            assert_ne!(daemon.docker(&["start", &id]).code, 0, "{list}");
            daemon.docker(&["rm", &id]).ok();
        }
    }
    let after = resident(daemon.pid());
    assert!(after < before + 20_000, "{before} kB before, {after} kB after");
    daemon.finish();
}

/// CVE-2021-41091, CVE-2020-15257: data of containers and sockets of their monitors could be reached by every user.
#[test]
fn nobody_else_reaches_data_and_sockets() {
    let daemon = Daemon::start();
    running(&daemon, "up", "exec sleep 1000");
    let mode = |path: &str| fs::metadata(daemon.directory().join(path)).unwrap().mode() & 0o777;
    assert_eq!((mode("data"), mode("exec"), mode("exec/containers"), mode("skiff.sock")), (0o711, 0o711, 0o700, 0o660));
    let id = daemon.docker(&["inspect", "--format", "{{.Id}}", "up"]).ok().to_owned();
    assert_eq!(mode(&format!("data/containers/{id}/config.json")), 0o600);
    let sockets = fs::read_to_string("/proc/net/unix").unwrap();
    let mut names = sockets.lines().filter_map(|line| line.split_whitespace().last());
    assert!(!names.any(|name| name.starts_with('@') && name.contains("skiff")), "abstract sockets are open to all");
    daemon.docker(&["rm", "-f", "up"]).ok();
    daemon.finish();
}

/// CVE-2020-14370: variables of one container were in the next, because both were made of one default. CVE-2019-13509: they
/// were in the log.
#[test]
fn what_one_container_is_given_no_other_has_nor_the_log() {
    const SECRET: &str = "correct-horse-battery";
    let daemon = Daemon::bare(&["--log-level", "debug"]);
    let tar = skiff_tests::busybox_tar().display().to_string();
    daemon.docker(&["import", "--change", "CMD [\"sh\"]", &tar, "busybox:latest"]).ok();
    let given = format!("TOKEN={SECRET}");
    let given = ["-e", &given, "--label", &given, "busybox"];
    let ran = daemon.docker(&[["run", "--rm"].as_slice(), &given, &["sh", "-c", "echo $TOKEN"]].concat());
    assert_eq!(ran.ok(), SECRET);
    daemon.docker(&[["create", "--name", "first"].as_slice(), &given, &["true"]].concat()).ok();
    daemon.docker(&["run", "-d", "--name", "second", "busybox", "sleep", "1000"]).ok();
    let entered = daemon.docker(&["exec", "-e", given[1], "second", "sh", "-c", "echo $TOKEN"]);
    assert_eq!(entered.ok(), SECRET);
    for words in [["exec", "second", "env"].as_slice(), &["inspect", "second"], &["run", "--rm", "busybox", "env"]] {
        assert!(!daemon.docker(words).ok().contains(SECRET), "{words:?}");
    }
    let log = daemon.log();
    assert!(!log.is_empty(), "there is a log");
    assert!(!log.contains(SECRET), "{log}");
    daemon.docker(&["rm", "-f", "first", "second"]).ok();
    daemon.finish();
}
