//! Attach over a web socket, with the client of another library.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod daemon;

use std::os::unix::net::UnixStream;
use std::time::Duration;

use daemon::Daemon;
use tungstenite::error::Error;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

const NONE: &str = r#""HostConfig":{"NetworkMode":"none"}"#;

/// The socket, or the status of the refusal and its body.
fn connect(daemon: &Daemon, path: &str) -> Result<WebSocket<UnixStream>, (u16, String)> {
    let stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    match tungstenite::client(format!("ws://skiff{path}"), stream) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(Error::Http(answer))) => {
            let body = answer.body().as_deref().unwrap_or_default();
            Err((answer.status().as_u16(), String::from_utf8_lossy(body).into_owned()))
        }
        Err(other) => panic!("{other}\n{}", daemon.log()),
    }
}

/// Everything up to the daemon's orderly close; each message must be of the `kind`.
fn rest(socket: &mut WebSocket<UnixStream>, kind: fn(&Message) -> bool) -> String {
    let mut bytes = Vec::new();
    loop {
        match socket.read().unwrap() {
            Message::Close(frame) => {
                assert_eq!(frame.map(|frame| frame.code), Some(CloseCode::Normal));
                end(socket);
                return String::from_utf8(bytes).unwrap();
            }
            message if kind(&message) => bytes.extend_from_slice(&message.into_data()),
            other => panic!("{other:?}"),
        }
    }
}

/// After a close and its answer the connection ends at once, and not by anybody's patience.
fn end(socket: &mut WebSocket<UnixStream>) {
    match socket.read() {
        Err(Error::ConnectionClosed) => {}
        other => panic!("{other:?}"),
    }
}

fn status(daemon: &Daemon, id: &str) -> String {
    daemon.get(&format!("/containers/{id}/json")).json().pointer("/State/Status").unwrap().to_string()
}

#[test]
fn a_socket_opened_before_the_start_misses_nothing_and_closes_with_the_container() {
    let daemon = Daemon::with_busybox();
    let script = "echo first; read line; echo got $line; echo err >&2";
    let id = daemon.create(&format!(r#"{{"Cmd":["sh","-c","{script}"],"OpenStdin":true,{NONE}}}"#));
    let all = "stream=1&stdin=1&stdout=1&stderr=1";
    let mut socket = connect(&daemon, &format!("/v1.51/containers/{id}/attach/ws?{all}")).unwrap();
    assert_eq!(daemon.post(&format!("/containers/{id}/start"), "").status(), 204);
    socket.send(Message::binary(&b"me\n"[..])).unwrap();
    let seen = rest(&mut socket, Message::is_binary);
    // The error output has a pipe of its own, which may be read before that of the output.
    assert_eq!(seen.replace("err\n", ""), "first\ngot me\n");
    assert!(seen.contains("err\n"), "{seen:?}");

    let past = format!("containers/{id}/attach/ws?logs=1");
    let mut socket = connect(&daemon, &format!("/v1.51/{past}&stderr=1")).unwrap();
    assert_eq!(rest(&mut socket, Message::is_binary), "err\n", "one stream alone, from the log");
    // Clients of old get text, and every stream.
    let mut socket = connect(&daemon, &format!("/v1.27/{past}")).unwrap();
    assert_eq!(rest(&mut socket, Message::is_text).len(), "first\ngot me\nerr\n".len());
}

#[test]
fn a_client_that_closes_ends_the_input() {
    let daemon = Daemon::with_busybox();
    let id = daemon.create(&format!(r#"{{"Cmd":["cat"],"OpenStdin":true,"StdinOnce":true,{NONE}}}"#));
    daemon.post(&format!("/containers/{id}/start"), "");
    let mut socket = connect(&daemon, &format!("/containers/{id}/attach/ws?stream=1&stdin=1&stdout=1")).unwrap();
    socket.send(Message::text("hello\n")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::binary(&b"hello\n"[..]));
    socket.close(None).unwrap();
    while !matches!(socket.read().unwrap(), Message::Close(_)) {}
    end(&mut socket);
    assert_eq!(daemon.post(&format!("/containers/{id}/wait"), "").status(), 200, "cat has seen its end");
}

#[test]
fn detach_keys_close_the_socket_and_not_the_container() {
    let daemon = Daemon::with_busybox();
    let id = daemon.create(&format!(r#"{{"Cmd":["cat"],"Tty":true,"OpenStdin":true,{NONE}}}"#));
    daemon.post(&format!("/containers/{id}/start"), "");
    let path = format!("/containers/{id}/attach/ws?stream=1&stdin=1&stdout=1");
    let mut socket = connect(&daemon, &format!("{path}&detachKeys=ctrl-a,x")).unwrap();
    socket.send(Message::binary(&b"hello\n"[..])).unwrap();
    socket.send(Message::binary(&b"\x01x"[..])).unwrap();
    let seen = rest(&mut socket, Message::is_binary);
    assert!(!seen.contains('x'), "{seen:?}");
    assert_eq!(status(&daemon, &id), "\"running\"");

    let (code, body) = connect(&daemon, &format!("{path}&detachKeys=ctrl-!")).unwrap_err();
    assert!(code == 400 && body.contains("ctrl-!"), "{code} {body}");
    assert_eq!(daemon.post(&format!("/containers/{id}/pause"), "").status(), 204);
    let (code, body) = connect(&daemon, &path).unwrap_err();
    assert!(code == 409 && body.contains("is paused, unpause the container before attach"), "{code} {body}");
    assert_eq!(daemon.request(&format!("DELETE /containers/{id}?force=1"), "", "").status(), 204);
}

#[test]
fn what_is_no_handshake_and_who_is_no_container_is_told() {
    let daemon = Daemon::with_busybox();
    let path = "/containers/nobody/attach/ws?stream=1&stdout=1";
    let (code, body) = connect(&daemon, path).unwrap_err();
    assert!(code == 404 && body.contains("No such container: nobody"), "{code} {body}");
    assert_eq!(daemon.get(path).status(), 404);
    let id = daemon.create(&format!(r#"{{"Cmd":["true"],{NONE}}}"#));
    let path = &format!("/containers/{id}/attach/ws?stream=1&stdout=1");
    let plain = daemon.get(path);
    assert_eq!(plain.status(), 400);
    assert!(plain.message().starts_with("bad web socket handshake: "), "{}", plain.message());
    let (_, head) = daemon.hijack(&format!("GET {path}"), "");
    assert!(head.starts_with("HTTP/1.1 400 "), "an upgrade to something else: {head}");
}
