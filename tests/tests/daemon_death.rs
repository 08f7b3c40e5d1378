//! The daemon is killed while containers run: they go on, and the next daemon finds them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use skiff_tests::{Daemon, run};

#[test]
fn containers_outlive_the_daemon() {
    let mut daemon = Daemon::start();
    let count = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done";
    daemon.docker(&["run", "-d", "--name", "ticker", "busybox", "sh", "-c", count]).ok();
    daemon.docker(&["run", "-d", "--name", "brief", "busybox", "sh", "-c", "sleep 3; exit 9"]).ok();
    daemon
        .docker(&[
            "run",
            "-d",
            "-i",
            "--name",
            "echo",
            "-p",
            "8081:80",
            "busybox",
            "sh",
            "-c",
            "read line; echo got $line",
        ])
        .ok();
    let pid = daemon.docker(&["inspect", "-f", "{{.State.Pid}}", "ticker"]).ok().to_owned();

    let brief = daemon.docker(&["inspect", "-f", "{{.State.Pid}}", "brief"]).ok().to_owned();

    daemon.crash();
    let deadline = Instant::now() + Duration::from_mins(1);
    while Path::new("/proc").join(&brief).exists() {
        assert!(Instant::now() < deadline, "the brief container does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon.restart();

    assert_eq!(daemon.docker(&["inspect", "-f", "{{.State.Pid}}", "ticker"]).ok(), pid);
    assert_eq!(daemon.docker(&["exec", "ticker", "echo", "still here"]).ok(), "still here");
    let brief = daemon.docker(&["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "brief"]);
    assert_eq!(brief.ok(), "exited 9");
    let attached = run(&mut daemon.command("docker", &["attach", "--sig-proxy=false", "echo"]), b"over the gap\n");
    assert_eq!(attached.ok(), "got over the gap");

    let mut follow =
        daemon.command("docker", &["logs", "-f", "--tail", "1", "ticker"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 30];
    follow.stdout.as_mut().unwrap().read_exact(&mut some).unwrap();
    assert!(String::from_utf8_lossy(&some).contains("tick"));
    follow.kill().unwrap();
    follow.wait().unwrap();

    daemon.docker(&["stop", "-t", "0", "ticker"]).ok();
    daemon.docker(&["rm", "-f", "ticker", "brief", "echo"]).ok();
    daemon.docker(&["run", "--rm", "-p", "8081:80", "busybox", "true"]).ok();
    daemon.finish();
}
