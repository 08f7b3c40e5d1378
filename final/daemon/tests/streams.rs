//! Connections that stop being HTTP, as bytes: attach, exec, logs, wait.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod daemon;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use daemon::{Daemon, read_head};

/// Everything to the end.
fn rest(stream: &mut UnixStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The frames of a stream without a terminal: which stream, and its text.
fn frames(mut bytes: &[u8]) -> Vec<(u8, String)> {
    let mut frames: Vec<(u8, String)> = Vec::new();
    while let [number, 0, 0, 0, a, b, c, d, after @ ..] = bytes {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let text = String::from_utf8_lossy(&after[..length]).into_owned();
        match frames.last_mut() {
            Some((last, all)) if last == number => all.push_str(&text),
            _ => frames.push((*number, text)),
        }
        bytes = &after[length..];
    }
    assert!(bytes.is_empty(), "not a frame: {bytes:?}");
    frames
}

const NONE: &str = r#""HostConfig":{"NetworkMode":"none"}"#;

#[test]
fn attach_switches_protocols_and_half_a_close_is_half_a_close() {
    let daemon = Daemon::with_busybox();
    let id = daemon.create(&format!(
        r#"{{"Cmd":["sh","-c","cat; echo done >&2"],"OpenStdin":true,"StdinOnce":true,"AttachStdin":true,{NONE}}}"#
    ));
    let (mut stream, head) =
        daemon.hijack(&format!("POST /v1.44/containers/{id}/attach?stream=1&stdin=1&stdout=1&stderr=1"), "");
    assert!(head.starts_with("HTTP/1.1 101 UPGRADED\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/vnd.docker.multiplexed-stream"), "{head}");
    assert_eq!(daemon.post(&format!("/containers/{id}/start"), "").status(), 204);
    stream.write_all(b"one\ntwo\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(frames(&rest(&mut stream)), [(1, "one\ntwo\n".to_owned()), (2, "done\n".to_owned())]);
}

#[test]
fn a_client_that_does_not_upgrade_gets_the_stream_as_a_body() {
    let daemon = Daemon::with_busybox();
    let id = daemon.create(&format!(r#"{{"Cmd":["sh","-c","sleep 0.2; echo out"],{NONE}}}"#));
    assert_eq!(daemon.post(&format!("/containers/{id}/start"), "").status(), 204);
    let answer = daemon.post(&format!("/v1.24/containers/{id}/attach?stream=1&stdout=1"), "");
    assert_eq!(answer.status(), 200);
    assert!(answer.head().contains("content-type: application/vnd.docker.raw-stream"), "{}", answer.head());
    assert!(answer.body().contains("out\n"), "{:?}", answer.body());
}

#[test]
fn detach_keys_leave_the_terminal_and_not_the_container() {
    let daemon = Daemon::with_busybox();
    let id = daemon.create(&format!(r#"{{"Cmd":["cat"],"Tty":true,"OpenStdin":true,{NONE}}}"#));
    daemon.post(&format!("/containers/{id}/start"), "");
    let path = format!("/containers/{id}/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,x");
    let (mut stream, head) = daemon.hijack(&format!("POST {path}"), "");
    assert!(head.to_lowercase().contains("content-type: application/vnd.docker.raw-stream"), "{head}");
    stream.write_all(b"hello\n\x01x").unwrap();
    let seen = String::from_utf8(rest(&mut stream)).unwrap();
    assert!(!seen.contains('x'), "{seen:?}");
    let state = daemon.get(&format!("/containers/{id}/json")).json()["State"]["Status"].clone();
    assert_eq!(state, "running");
    let bad = daemon.post(&format!("/containers/{id}/attach?stream=1&stdout=1&detachKeys=ctrl-!"), "");
    assert!(bad.status() == 400 && bad.message().contains("ctrl-!"), "{}", bad.body());
    assert_eq!(daemon.request(&format!("DELETE /containers/{id}?force=1"), "", "").status(), 204);
}

#[test]
fn an_exec_has_its_own_stream_and_exit_code() {
    let daemon = Daemon::with_busybox();
    let id = daemon.create(&format!(r#"{{"Cmd":["sleep","100"],{NONE}}}"#));
    daemon.post(&format!("/containers/{id}/start"), "");
    let asked = r#"{"Cmd":["sh","-c","cat; exit 3"],"AttachStdin":true,"AttachStdout":true,"AttachStderr":true}"#;
    let exec = daemon.post(&format!("/containers/{id}/exec"), asked).json()["Id"].as_str().unwrap().to_owned();
    let (mut stream, head) = daemon.hijack(&format!("POST /v1.44/exec/{exec}/start"), r#"{"Detach":false}"#);
    assert!(head.starts_with("HTTP/1.1 101 UPGRADED\r\n"), "{head}");
    stream.write_all(b"in").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(frames(&rest(&mut stream)), [(1, "in".to_owned())]);
    let after = daemon.get(&format!("/exec/{exec}/json")).json();
    assert_eq!((&after["ExitCode"], &after["Running"]), (&3.into(), &false.into()));
    let again = daemon.post(&format!("/exec/{exec}/start"), "{}");
    assert_eq!(again.status(), 409, "{}", again.body());
    daemon.request(&format!("DELETE /containers/{id}?force=1"), "", "");
}

#[test]
fn wait_answers_its_head_before_the_end() {
    let daemon = Daemon::with_busybox();
    let id = daemon.create(&format!(r#"{{"Cmd":["sh","-c","exit 4"],{NONE}}}"#));
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    write!(stream, "POST /containers/{id}/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200 OK"), "the head comes before the container has started");
    assert_eq!(daemon.post(&format!("/containers/{id}/start"), "").status(), 204);
    let body = String::from_utf8(rest(&mut stream)).unwrap();
    assert!(body.contains(r#"{"StatusCode":4}"#), "{body}");
    let bad = daemon.post(&format!("/containers/{id}/wait?condition=never"), "");
    assert_eq!((bad.status(), bad.message().lines().next()), (400, Some("invalid condition: \"never\"")));
}

#[test]
fn what_is_already_so_is_304() {
    let daemon = Daemon::with_busybox();
    let id = daemon.create(&format!(r#"{{"Cmd":["sleep","100"],{NONE}}}"#));
    let post = |what: &str| daemon.post(&format!("/containers/{id}/{what}"), "").status();
    assert_eq!([post("start"), post("start"), post("stop?t=0"), post("stop?t=0")], [204, 304, 204, 304]);
    assert_eq!(post("kill"), 409);
}

#[test]
fn logs_come_while_they_are_written() {
    let daemon = Daemon::with_busybox();
    let id = daemon.create(&format!(r#"{{"Cmd":["sh","-c","echo first; sleep 100"],{NONE}}}"#));
    daemon.post(&format!("/containers/{id}/start"), "");
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    write!(stream, "GET /v1.44/containers/{id}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let head = read_head(&mut stream).to_lowercase();
    assert!(head.contains("multiplexed-stream") && head.contains("transfer-encoding: chunked"), "{head}");
    // One chunk: its length, a frame's head of 8 bytes, the line.
    let mut chunk = [0; 3 + 8 + 6];
    stream.read_exact(&mut chunk).unwrap();
    assert!(chunk.ends_with(b"first\n"), "{chunk:?}");
    daemon.request(&format!("DELETE /containers/{id}?force=1"), "", "");
    let none = daemon.get("/containers/json?all=1").json();
    assert_eq!(none.as_array().unwrap().len(), 0);
}
