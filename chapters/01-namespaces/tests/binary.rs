//! The chapter's program: what it prints, and the status it ends with.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

fn image() -> TempDir {
    let image = tempfile::Builder::new().prefix("skiff-namespaces-").tempdir().unwrap();
    fs::create_dir(image.path().join("bin")).unwrap();
    fs::copy("/bin/busybox", image.path().join("bin/busybox")).expect("this test needs the package busybox-static");
    for applet in ["sh", "hostname", "true", "tty", "sleep", "cat"] {
        symlink("busybox", image.path().join("bin").join(applet)).unwrap();
    }
    image
}

fn namespaces(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_namespaces")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

/// Status, standard output and error, as one text for a snapshot.
fn seen(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = output.status.code().map_or("a signal".to_owned(), |code| code.to_string());
    format!("{}{}[{status}]", text(&output.stdout), text(&output.stderr))
}

fn run(arguments: &[&str]) -> String {
    let image = image();
    let all = [&["run"], arguments].concat();
    let path = image.path().to_string_lossy().into_owned();
    let all: Vec<_> = all.iter().map(|argument| if *argument == "ROOTFS" { path.as_str() } else { argument }).collect();
    seen(&namespaces(&all)).replace(&path, "ROOTFS")
}

#[test]
fn a_program_runs() {
    insta::assert_snapshot!(run(&["--hostname", "galley", "ROOTFS", "sh", "-c", "hostname; exit 3"]), @r"
    galley
    [3]
    ");
    insta::assert_snapshot!(run(&["--without", "set-hostname", "--hostname", "x", "ROOTFS", "true"]), @"[0]");
}

#[test]
fn failures_say_what_to_do() {
    insta::assert_snapshot!(run(&["ROOTFS", "nope"]), @r"
    namespaces: cannot execute nope: executable file not found in $PATH
    PATH is /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; give the full path of the program, or another image.
    [127]
    ");
    insta::assert_snapshot!(run(&["ROOTFS", "/bin"]), @r"
    namespaces: cannot execute /bin: Permission denied
    It is a directory; name a program in it.
    [126]
    ");
    insta::assert_snapshot!(run(&["/no/such/rootfs", "true"]), @r"
    namespaces: cannot bind the root directory /no/such/rootfs: No such file or directory
    The root file system must be an existing directory.
    [125]
    ");
    insta::assert_snapshot!(run(&["--user", "who", "ROOTFS", "true"]), @r"
    namespaces: cannot find the user who: no matching entry in the image's passwd file
    Use a number, or add the user to /etc/passwd of the image.
    [125]
    ");
}

#[test]
fn a_terminal() {
    insta::assert_snapshot!(run(&["--tty", "ROOTFS", "tty"]).replace('\r', ""), @r"
    /dev/pts/0
    [0]
    ");
}

#[test]
fn what_would_be_launched() {
    let plan = run(&["--plan", "--hostname", "galley", "ROOTFS", "true"]);
    // The filter has a test of its own, and its numbers tell a reader nothing.
    let (before, after) = plan.split_once("\"instructions\": [").unwrap();
    let (_, after) = after.split_once(']').unwrap();
    let mut settings = insta::Settings::clone_current();
    // On a machine whose processors report their throttling there are more masks.
    settings.add_filter(r#",\s*"/sys/devices/system/cpu/cpu\d+/thermal_throttle""#, "");
    settings.bind(|| insta::assert_snapshot!(format!("{before}\"instructions\": […]{after}")));
}

#[test]
fn the_steps() {
    insta::assert_snapshot!(seen(&namespaces(&["steps"])));
}

#[test]
fn how_long_they_took() {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(?m)^ *\d+ µs", "N µs");
    settings.bind(|| insta::assert_snapshot!(run(&["--explain", "ROOTFS", "true"])));
}

#[test]
fn signals_are_passed_on() {
    let image = image();
    let path = image.path().to_string_lossy();
    let script = "trap 'exit 5' TERM; sleep 0.2; echo up; sleep 30 & wait";
    let mut launcher = Command::new(env!("CARGO_BIN_EXE_namespaces"))
        .args(["run", &path, "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 3];
    std::io::Read::read_exact(launcher.stdout.as_mut().unwrap(), &mut up).unwrap();
    Command::new("kill").args(["-TERM", &launcher.id().to_string()]).status().unwrap();
    assert_eq!(launcher.wait().unwrap().code(), Some(5));
}

#[test]
fn another_program_in_the_same_container() {
    let image = image();
    let path = image.path().to_string_lossy();
    let mut first = Command::new(env!("CARGO_BIN_EXE_namespaces"))
        .args(["run", "--hostname", "galley", &path, "sh", "-c", "echo up; exec sleep 30"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut up = [0; 3];
    std::io::Read::read_exact(first.stdout.as_mut().unwrap(), &mut up).unwrap();
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", first.id())).unwrap();
    let output = seen(&namespaces(&["exec", children.trim(), "hostname"]));
    let missing = seen(&namespaces(&["exec", children.trim(), "nope"]));
    // Only a signal that cannot be caught ends process 1 of a pid namespace from outside; the launcher then reports it.
    Command::new("kill").args(["-KILL", children.trim()]).status().unwrap();
    assert_eq!(first.wait().unwrap().code(), Some(137));
    insta::assert_snapshot!(output, @r"
    galley
    [0]
    ");
    assert!(missing.ends_with("[127]"), "{missing}");
}
