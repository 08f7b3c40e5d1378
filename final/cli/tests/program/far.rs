//! A daemon on another machine. In the place of ssh stands a script that runs the far end right here.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::daemon::{Answer, Daemon};

/// A directory with an `ssh` in it that takes no notice of the host and leads to `daemon`.
fn stand_in(daemon: &Daemon) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("#!/bin/sh\nexec {} -H {} system dial-stdio\n", env!("CARGO_BIN_EXE_skiff"), daemon.address());
    // Written by another process: a file that somebody has open for writing cannot be executed, and what a test next to
    // this one starts just now would have it open for a moment.
    let write = ["-c", "printf %s \"$1\" > \"$0\"/ssh && chmod +x \"$0\"/ssh"];
    let written = Command::new("sh").args(write).arg(directory.path()).arg(script).status().unwrap();
    assert!(written.success());
    directory
}

#[test]
fn the_end_of_our_input_travels_by_ssh_too() {
    let daemon = Daemon::new(|_, path, _| match path.split('?').next().unwrap() {
        "/containers/create" => Answer::Plain(201, r#"{"Id":"c1","Warnings":[]}"#),
        "/containers/c1/attach" => Answer::Echo,
        "/containers/c1/wait" => Answer::Plain(200, "{\"StatusCode\":0}\n"),
        _ => Answer::Plain(204, ""),
    });
    let ssh = stand_in(&daemon);
    let path = format!("{}:{}", ssh.path().display(), std::env::var("PATH").unwrap());
    let mut skiff = daemon.skiff(&["-H", "ssh://far", "run", "-i", "image"]);
    let skiff = skiff.env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = skiff.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"there and back").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!((said.0.as_ref(), said.1.as_ref(), output.status.code()), ("there and back", "", Some(0)));
}
