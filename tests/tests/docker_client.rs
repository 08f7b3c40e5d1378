//! The real `docker` client against `skiffd`: what a user of Docker types on the first day.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use skiff_tests::{Daemon, busybox_tar, run};

#[test]
fn version_and_info_answer() {
    let daemon = Daemon::start();
    assert_eq!(daemon.docker(&["version", "--format", "{{.Server.APIVersion}}"]).ok(), "1.51");
    let info = daemon.docker(&["info"]);
    assert!(info.ok().contains("Server Version"), "{info}");
    assert!(!info.stderr.contains("template"), "{info}");
    daemon.finish();
}

#[test]
fn run_prints_and_passes_the_exit_code_on() {
    let daemon = Daemon::start();
    assert_eq!(daemon.docker(&["run", "--rm", "busybox", "echo", "hi"]).ok(), "hi");
    assert_eq!(daemon.docker(&["run", "--rm", "busybox", "sh", "-c", "exit 7"]).code, 7);
    // The first process of a pid namespace cannot be killed from inside; a child of it can.
    assert_eq!(daemon.docker(&["run", "--rm", "busybox", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"]).code, 137);
    let both = daemon.docker(&["run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2"]);
    assert_eq!((both.stdout.as_str(), both.stderr.as_str()), ("out\n", "err\n"));
    daemon.finish();
}

#[test]
fn standard_input_reaches_the_program_and_ends() {
    let daemon = Daemon::start();
    let counted =
        run(&mut daemon.command("docker", &["run", "--rm", "-i", "busybox", "wc", "-c"]), &vec![b'x'; 300_000]);
    assert_eq!(counted.ok(), "300000");
    daemon.finish();
}

#[test]
fn a_service_with_a_port_and_a_volume() {
    let daemon = Daemon::start();
    let serve =
        ["run", "-d", "--name", "web", "-p", "8080:80", "-v", "data:/www", "busybox", "httpd", "-f", "-h", "/www"];
    assert_eq!(daemon.docker(&serve).ok().len(), 64);
    daemon.docker(&["exec", "web", "sh", "-c", "echo from the volume > /www/index.html"]).ok();
    let page = daemon.on_host(&["curl", "-s", "--max-time", "5", "http://127.0.0.1:8080/index.html"]);
    assert_eq!(page.ok(), "from the volume");
    assert_eq!(daemon.docker(&["volume", "ls", "-q"]).ok(), "data");
    daemon.docker(&["rm", "-f", "web"]).ok();
    let again = daemon.docker(&["run", "--rm", "-v", "data:/www", "busybox", "cat", "/www/index.html"]);
    assert_eq!(again.ok(), "from the volume");
    daemon.docker(&["volume", "rm", "data"]).ok();
    daemon.finish();
}

#[test]
fn the_life_of_a_container() {
    let daemon = Daemon::start();
    let script = "trap 'echo stopped; exit 3' TERM; echo started; while :; do sleep 0.1; done";
    daemon.docker(&["run", "-d", "--name", "life", "busybox", "sh", "-c", script]).ok();
    let up = daemon.docker(&["ps", "-a", "--format", "{{.Names}} {{.Status}}"]);
    assert!(up.ok().starts_with("life Up"), "{up}");
    assert_eq!(daemon.docker(&["exec", "life", "echo", "inside"]).ok(), "inside");
    assert_eq!(daemon.docker(&["exec", "life", "sh", "-c", "exit 4"]).code, 4);
    daemon.docker(&["stop", "life"]).ok();
    assert_eq!(daemon.docker(&["logs", "life"]).ok(), "started\nstopped");
    assert_eq!(daemon.docker(&["inspect", "--format", "{{.State.ExitCode}}", "life"]).ok(), "3");
    daemon.docker(&["rename", "life", "after"]).ok();
    daemon.docker(&["rm", "after"]).ok();
    assert_eq!(daemon.docker(&["ps", "-aq"]).ok(), "");
    daemon.finish();
}

#[test]
fn logs_follow_until_the_end() {
    let daemon = Daemon::start();
    let script = "for i in 1 2 3; do echo line $i; sleep 0.2; done";
    daemon.docker(&["run", "-d", "--name", "talker", "busybox", "sh", "-c", script]).ok();
    let mut follow = daemon.command("docker", &["logs", "-f", "talker"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    follow.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(follow.wait().unwrap().success());
    assert_eq!(text, "line 1\nline 2\nline 3\n");
    daemon.docker(&["rm", "talker"]).ok();
    daemon.finish();
}

#[test]
fn images_load_tag_and_go() {
    let daemon = Daemon::bare(&[]);
    daemon.docker(&["import", busybox_tar().to_str().unwrap(), "bb:one"]).ok();
    daemon.docker(&["tag", "bb:one", "bb:two"]).ok();
    assert_eq!(daemon.docker(&["images", "-q", "bb"]).ok().lines().count(), 2);
    assert_eq!(daemon.docker(&["rmi", "bb:one"]).ok(), "Untagged: bb:one");
    let last = daemon.docker(&["rmi", "bb:two"]);
    assert!(last.ok().contains("Deleted: sha256:"), "{last}");
    daemon.finish();
}

#[test]
fn a_terminal_echoes_and_passes_the_exit_code_on() {
    let daemon = Daemon::start();
    let mut command = daemon.command("docker", &["run", "-it", "--rm", "busybox", "sh"]);
    command.env("TERM", "xterm");
    let mut session = rexpect::session::spawn_command(command, Some(10_000)).unwrap();
    session.exp_string("/ #").unwrap();
    session.send_line("tty; stty size").unwrap();
    session.exp_string("/dev/pts/0").unwrap();
    session.send_line("exit 5").unwrap();
    let status = session.process().wait().unwrap();
    assert!(format!("{status:?}").contains("Exited") && format!("{status:?}").contains('5'), "{status:?}");
    drop(session);
    daemon.finish();
}

#[test]
fn networks_are_listed_made_and_removed() {
    let daemon = Daemon::start();
    assert_eq!(daemon.docker(&["network", "ls", "--format", "{{.Name}}"]).ok(), "bridge\nhost\nnone");
    daemon.docker(&["network", "create", "--subnet", "10.77.0.0/24", "back"]).ok();
    let address = daemon.docker(&["run", "--rm", "--network", "back", "busybox", "ip", "-4", "addr", "show", "eth0"]);
    assert!(address.ok().contains("10.77.0.2/24"), "{address}");
    let none = daemon.docker(&["run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net"]);
    assert_eq!(none.ok(), "lo");
    daemon.docker(&["network", "rm", "back"]).ok();
    daemon.finish();
}

#[test]
fn stop_waits_for_its_patience_and_then_kills() {
    let daemon = Daemon::start();
    daemon
        .docker(&["run", "-d", "--name", "deaf", "busybox", "sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
        .ok();
    let begin = Instant::now();
    daemon.docker(&["stop", "-t", "1", "deaf"]).ok();
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(daemon.docker(&["inspect", "-f", "{{.State.ExitCode}}", "deaf"]).ok(), "137");
    daemon.docker(&["rm", "deaf"]).ok();
    daemon.finish();
}
