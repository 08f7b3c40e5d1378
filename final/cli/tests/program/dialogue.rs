//! What the program asks a daemon, in which order, and what it makes of the answers.

use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};

use crate::daemon::{Answer, Daemon};

const CREATED: &str = r#"{"Id":"c1","Warnings":[]}"#;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Standard output, standard error, exit status.
fn said(output: &Output) -> (&str, &str, i32) {
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

/// A container that writes on both channels and ends with 3.
fn container(_: &str, path: &str, _: usize) -> Answer {
    match path.split('?').next().unwrap() {
        "/containers/create" => Answer::Plain(201, CREATED),
        "/containers/c1/attach" => Answer::Stream(b"\x01\0\0\0\0\0\0\x04out\n\x02\0\0\0\0\0\0\x04err\n"),
        "/containers/c1/wait" => Answer::Plain(200, "{\"StatusCode\":3}\n"),
        _ => Answer::Plain(204, ""),
    }
}

#[test]
fn run_attaches_and_waits_before_it_starts() {
    let daemon = Daemon::new(container);
    let output = daemon.output(&["run", "--rm", "image"]);
    assert_eq!(said(&output), ("out\n", "err\n", 3));
    let mut asked = daemon.asked();
    asked[1..3].sort();
    assert_eq!(
        asked,
        [
            "POST /v1.51/containers/create",
            "POST /v1.51/containers/c1/attach?stream=1&stdout=1&stderr=1",
            "POST /v1.51/containers/c1/wait?condition=removed",
            "POST /v1.51/containers/c1/start",
        ]
    );
}

#[test]
fn a_detached_run_prints_the_id() {
    let daemon = Daemon::new(container);
    assert_eq!(said(&daemon.output(&["run", "-d", "--name", "web", "image"])), ("c1\n", "", 0));
    assert_eq!(daemon.asked(), ["POST /v1.51/containers/create?name=web", "POST /v1.51/containers/c1/start"]);
}

#[test]
fn the_end_of_our_input_is_the_end_of_theirs() {
    let daemon = Daemon::new(|method, path, before| match path.split('?').next().unwrap() {
        "/containers/c1/attach" => Answer::Echo,
        "/containers/c1/wait" => Answer::Plain(200, "{\"StatusCode\":0}\n"),
        _ => container(method, path, before),
    });
    let mut child = daemon.skiff(&["run", "-i", "image"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"there and back").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(said(&output), ("there and back", "", 0));
}

#[test]
fn a_missing_image_is_pulled_on_the_way() {
    let daemon = Daemon::new(|method, path, before| match path.split('?').next().unwrap() {
        "/containers/create" if before == 0 => Answer::Plain(404, r#"{"message":"No such image: image:1"}"#),
        "/images/create" => Answer::Plain(200, "{\"status\":\"Pulling from library/image\",\"id\":\"1\"}\n"),
        _ => container(method, path, before),
    });
    let output = daemon.output(&["run", "-d", "image:1"]);
    let progress = "Unable to find image 'image:1' locally\n1: Pulling from library/image\n";
    assert_eq!(said(&output), ("c1\n", progress, 0));
    assert!(
        daemon.asked().contains(&"POST /v1.51/images/create?fromImage=docker.io%2Flibrary%2Fimage&tag=1".to_owned())
    );
}

#[test]
fn an_error_in_the_middle_of_a_pull_ends_it() {
    let daemon = Daemon::new(|_, path, _| match path.split('?').next().unwrap() {
        "/images/create" => {
            Answer::Plain(200, "{\"status\":\"Pulling\"}\n{\"errorDetail\":{\"message\":\"disk full\"}}\n")
        }
        _ => Answer::Plain(404, r#"{"message":"No such image: image:latest"}"#),
    });
    let output = daemon.output(&["pull", "-q", "image"]);
    assert_eq!(said(&output), ("", "disk full\n", 1));
}

#[test]
fn why_a_program_does_not_start_decides_about_the_status() {
    let daemon = Daemon::new(|method, path, before| match path.split('?').next().unwrap() {
        "/containers/c1/start" if before == 0 => {
            Answer::Plain(400, "{\"message\":\"exec: \\\"nosuch\\\": executable file not found in $PATH\"}")
        }
        "/containers/c1/start" => Answer::Plain(400, "{\"message\":\"cannot execute /etc: Permission denied\"}"),
        _ => container(method, path, before),
    });
    let output = daemon.output(&["run", "image", "nosuch"]);
    let message = "skiff: Error response from daemon: exec: \"nosuch\": executable file not found in $PATH\n\
        hint: Is the command in the image, and in its PATH?\n\nRun 'skiff run --help' for more information\n";
    assert_eq!(said(&output), ("", message, 127));
    assert_eq!(daemon.output(&["run", "image", "/etc"]).status.code(), Some(126));
}

#[test]
fn an_older_daemon_is_asked_again_under_its_version() {
    let daemon = Daemon::new(|_, path, before| match (path, before) {
        ("/containers/json", 0) => Answer::Plain(200, "[]"),
        _ => Answer::Plain(500, ""),
    });
    let old = Daemon::new(|_, path, _| {
        assert!(path.starts_with("/containers/"));
        Answer::Plain(400, r#"{"message":"client version 1.51 is too new. Maximum supported API version is 1.41"}"#)
    });
    assert_eq!(daemon.output(&["ps", "-q"]).status.code(), Some(0));
    assert_eq!(old.output(&["ps"]).status.code(), Some(1));
    assert_eq!(old.asked(), ["GET /v1.51/containers/json", "GET /v1.41/containers/json"], "and not for ever");
}

#[test]
fn several_things_are_done_and_those_that_fail_are_told_in_the_end() {
    let daemon = Daemon::new(|_, path, _| match path {
        "/containers/gone" => Answer::Plain(404, r#"{"message":"No such container: gone"}"#),
        _ => Answer::Plain(204, ""),
    });
    let output = daemon.output(&["rm", "a", "gone", "b"]);
    let message = "Error response from daemon: No such container: gone\nhint: `skiff ps -a` lists all containers.\n";
    assert_eq!(said(&output), ("a\nb\n", message, 1));
}

#[test]
fn inspect_shows_what_is_there_and_names_what_is_not() {
    let daemon = Daemon::new(|_, path, _| match path {
        "/containers/web/json" => Answer::Plain(200, r#"{"Id":"c1","Name":"/web","Size":1.50}"#),
        _ => Answer::Plain(404, r#"{"message":"page not found"}"#),
    });
    let output = daemon.output(&["inspect", "web", "gone"]);
    let json = "[\n    {\n        \"Id\": \"c1\",\n        \"Name\": \"/web\",\n        \"Size\": 1.50\n    }\n]\n";
    assert_eq!(said(&output), (json, "Error: No such object: gone\n", 1));
    assert_eq!(said(&daemon.output(&["inspect", "-f", "{{.Name}}", "web"])), ("/web\n", "", 0));
    assert_eq!(daemon.output(&["inspect", "-f", "{{.Name", "web"]).status.code(), Some(64));
}

#[test]
fn a_daemon_that_is_not_there_is_named() {
    let skiff = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_skiff")).args(["-H", "unix:///no/such/socket"]).args(arguments).output();
        output.unwrap()
    };
    let message = "Cannot connect to the Skiff daemon at unix:///no/such/socket. Is skiffd running?\n\
        hint: There is no such socket. Check -H and DOCKER_HOST, or start skiffd.\n";
    assert_eq!(said(&skiff(&["ps"])), ("", message, 1));
    let run = skiff(&["run", "image"]);
    assert_eq!((run.status.code(), text(&run.stderr).starts_with(&format!("skiff: {message}"))), (Some(125), true));
}

#[test]
fn a_reader_that_goes_away_ends_the_program_without_a_word() {
    let daemon = Daemon::new(|_, _, _| Answer::Plain(200, "[]"));
    let mut child = daemon.skiff(&["ps"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), error.as_str()), (Some(141), ""));
}
