//! The conversation of daemon and monitor, over a real socket pair.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

use std::io::{Read, Write};
use std::os::fd::AsFd;

use insta::assert_json_snapshot;
use namespaces::Failure;
use skiff_runtime::plan::{LogFile, Network, Stdin};
use skiff_runtime::protocol::{Attach, Event, Exit, Request, Started, State};
use skiff_runtime::{Channel, Plan};

fn plan(environment: usize) -> Plan {
    let mut plan = Plan { id: "ab".into(), network: Network::FromFd, stdin: Stdin::Once, ..Plan::default() };
    plan.container.process.env = vec!["A=\"quoted\"\n\u{1f6f6}".into(); environment];
    plan.log = LogFile { path: "/x/ab-json.log".into(), max_size: Some(1 << 20), max_files: 3 }.into();
    plan
}

#[test]
fn small_and_large_messages_arrive_as_they_were_sent() {
    let (daemon, monitor) = Channel::pair().unwrap();
    for environment in [0, 1, 20_000] {
        let request = Request::Start { plan: Box::new(plan(environment)), attach: vec![Attach::default(); 2] };
        std::thread::scope(|scope| {
            scope.spawn(|| daemon.send(&request, &[]).unwrap());
            let received = monitor.receive::<Request>().unwrap().unwrap();
            assert_eq!(received.message, request);
            assert!(received.fds.is_empty());
        });
    }
}

#[test]
fn descriptors_keep_their_order_beside_a_message_of_any_size() {
    let (daemon, monitor) = Channel::pair().unwrap();
    for environment in [0, 20_000] {
        let pairs = [std::io::pipe().unwrap(), std::io::pipe().unwrap()];
        let request = Request::Start { plan: Box::new(plan(environment)), attach: Vec::new() };
        daemon.send(&request, &[pairs[0].1.as_fd(), pairs[1].1.as_fd()]).unwrap();
        let received = monitor.receive::<Request>().unwrap().unwrap();
        assert_eq!(received.message, request);
        for (index, (fd, (mut reader, writer))) in received.fds.into_iter().zip(pairs).enumerate() {
            drop(writer);
            std::fs::File::from(fd).write_all(&[u8::try_from(index).unwrap()]).unwrap();
            let mut text = Vec::new();
            reader.read_to_end(&mut text).unwrap();
            assert_eq!(text, [u8::try_from(index).unwrap()]);
        }
    }
}

#[test]
fn the_end_is_none_and_nothing_to_read_yet_is_eagain() {
    let (daemon, monitor) = Channel::pair().unwrap();
    monitor.set_nonblocking().unwrap();
    assert!(monitor.receive::<Request>().unwrap_err().is(rustix::io::Errno::AGAIN));
    drop(daemon);
    assert!(monitor.receive::<Request>().unwrap().is_none());
    assert!(monitor.send(&Event::Done, &[]).unwrap_err().is(rustix::io::Errno::PIPE));
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    let (daemon, monitor) = Channel::pair().unwrap();
    daemon.send(&"Launch", &[]).unwrap();
    let failure = monitor.receive::<Request>().unwrap_err();
    assert!(failure.to_string().starts_with("cannot understand a message: unknown variant `Launch`"), "{failure}");
}

#[test]
fn a_socket_far_down_is_reached() {
    let top = tempfile::tempdir().unwrap();
    let run = top.path().join("x".repeat(120)).join("y".repeat(64));
    std::fs::create_dir_all(&run).unwrap();
    assert!(Channel::connect(&run).unwrap_err().is(rustix::io::Errno::NOENT));
    drop(Channel::listen(&run).unwrap());
    assert!(Channel::connect(&run).unwrap_err().is(rustix::io::Errno::CONNREFUSED));
    let listener = Channel::listen(&run).unwrap();
    let daemon = Channel::connect(&run).unwrap();
    let monitor = Channel::accept(listener.as_fd()).unwrap();
    daemon.send(&Request::Hello, &[]).unwrap();
    assert_eq!(monitor.receive::<Request>().unwrap().unwrap().message, Request::Hello);
}

#[test]
fn how_it_looks_on_the_wire() {
    let at = "2026-01-02T03:04:05.000006Z".parse().unwrap();
    let exit = Exit { code: 137, signal: Some(9), oom_killed: true, log_failure: None, finished_at: at };
    assert_json_snapshot!((
        [
            Request::Attach(Attach { stdin: true, stdout: true, stderr: false }),
            Request::Resize { width: 80, height: 24 },
            Request::Signal { signo: 15 },
            Request::Hello,
        ],
        [
            Event::Started(Started { pid: 42, started_at: at, timings: Vec::new() }),
            Event::Done,
            Event::Failed(Failure::new("open", "No such file or directory").on("/x")),
            Event::State(State { id: "ab".into(), pid: 42, started_at: at, exit: None }),
            Event::Exited(exit),
        ]
    ));
}
