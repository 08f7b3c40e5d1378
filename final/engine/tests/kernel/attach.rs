//! Attached clients: input, output, terminals.

use skiff_engine::containers::{AttachOptions, Condition};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::{self, body, read, script, within};

const ALL: AttachOptions = AttachOptions { stdin: true, stdout: true, stderr: true, stream: true, logs: false };

#[test]
fn a_client_that_attaches_first_misses_nothing() {
    rig::engine(async |engine| {
        let lines = "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done";
        let expected = rig::numbered("line", 2000);
        for _ in 0..3 {
            let (status, output) = rig::run(&engine, script(lines)).await.unwrap();
            assert_eq!(status, 0);
            assert!(output == expected, "{} of {} bytes", output.len(), expected.len());
        }
    });
}

#[test]
fn closing_the_input_ends_it_and_the_output_goes_on() {
    rig::engine(async |engine| {
        let mut cat = body(&["cat"]);
        (cat.open_stdin, cat.stdin_once, cat.attach_stdin) = (Some(true), Some(true), Some(true));
        let id = engine.containers.create(None, None, cat).await.unwrap().id;
        let mut client = engine.containers.attach(&id, ALL).await.unwrap();
        let exit = engine.containers.wait(&id, Condition::NextExit).unwrap();
        engine.containers.start(&id).await.unwrap();
        client.stream.write_all(b"there and back\n").await.unwrap();
        client.stream.shutdown().await.unwrap();
        assert_eq!(read(client).await, "there and back\n");
        assert_eq!(within(exit).await.status_code, 0);
    });
}

#[test]
fn a_terminal_is_raw_has_a_size_and_echoes() {
    rig::engine(async |engine| {
        let mut shell = body(&["sh", "-c", "read line; stty size; echo got $line; test -t 0 && echo $TERM"]);
        (shell.tty, shell.open_stdin) = (Some(true), Some(true));
        let id = engine.containers.create(None, None, shell).await.unwrap().id;
        let mut client = engine.containers.attach(&id, ALL).await.unwrap();
        assert!(client.tty);
        engine.containers.start(&id).await.unwrap();
        engine.containers.resize(&id, 33, 101).await.unwrap();
        client.stream.write_all(b"hello\r").await.unwrap();
        assert_eq!(read(client).await, "hello\r\n33 101\r\ngot hello\r\nxterm\r\n");
    });
}

#[test]
fn a_late_client_gets_the_log_first() {
    rig::engine(async |engine| {
        let id = engine.containers.create(None, None, script("echo early; sleep 0.5; echo late")).await.unwrap().id;
        engine.containers.start(&id).await.unwrap();
        rig::says(&engine, &id, "early").await;
        let client = engine.containers.attach(&id, AttachOptions { logs: true, stdin: false, ..ALL }).await.unwrap();
        assert_eq!(read(client).await, "early\nlate\n");
    });
}

#[test]
fn a_client_of_a_failed_start_is_let_go() {
    rig::engine(async |engine| {
        let id = engine.containers.create(None, None, body(&["nothere"])).await.unwrap().id;
        let mut client = engine.containers.attach(&id, ALL).await.unwrap();
        engine.containers.start(&id).await.unwrap_err();
        let mut bytes = Vec::new();
        within(client.stream.read_to_end(&mut bytes)).await.unwrap();
        assert!(bytes.is_empty());
    });
}
