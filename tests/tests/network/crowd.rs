//! Many containers at once, each with a published port and a name: all are reached, all find each other, nothing is left.

use std::net::SocketAddr;
use std::time::Duration;

use skiff_tests::Daemon;

use crate::bench::{PATIENCE, Place, eventually};

/// Where the first one's port is published.
const FIRST: usize = 20_000;

/// A question for the IPv4 address of a name of one label (RFC 1035, 4.1).
fn question(name: &str) -> Vec<u8> {
    let head = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let length = u8::try_from(name.len()).expect("a label");
    [&head[..], &[length], name.as_bytes(), &[0, 0, 1, 0, 1]].concat()
}

/// The address that a container is told for a name: the end of an answer with one record.
fn look_up(place: &Place, name: &str) -> [u8; 4] {
    let socket = place.datagrams("127.0.0.1:0");
    socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
    let mut answer = [0; 512];
    // As a resolver does: what is lost is asked again.
    for _ in 0..12 {
        socket.send_to(&question(name), "127.0.0.11:53").expect("send");
        if let Ok(length) = socket.recv(&mut answer) {
            return *answer[..length].last_chunk().expect("an address");
        }
    }
    panic!("nobody answers for {name}");
}

#[test]
fn a_crowd_is_reached_finds_each_other_and_leaves_nothing() {
    let count = if std::env::var_os("SKIFF_SOAK").is_some() { 300 } else { 12 };
    let daemon = Daemon::start();
    daemon.docker(&["network", "create", "--subnet", "10.96.0.0/16", "crowd"]).ok();
    let name = |number: usize| format!("member{number}");
    std::thread::scope(|scope| {
        // Several at a time: their starts meet in the firewall, in the bridge and in the records.
        for worker in 0..4 {
            let daemon = &daemon;
            scope.spawn(move || {
                for number in (worker..count).step_by(4) {
                    let publish = format!("{}:80", FIRST + number);
                    let run = ["run", "-d", "--network", "crowd", "--name", &name(number), "-p", &publish];
                    daemon.docker(&[&run[..], &["busybox", "sleep", "3600"]].concat()).ok();
                }
            });
        }
    });
    let names: Vec<String> = (0..count).map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let format = "{{.State.Pid}} {{.NetworkSettings.Networks.crowd.IPAddress}}";
    let told = daemon.docker(&[&["inspect", "-f", format], &names[..]].concat());
    let members: Vec<(Place, [u8; 4])> = told.ok().lines().map(member).collect();
    assert_eq!(members.len(), count);
    let host = Place::of_host(&daemon);
    for (number, (place, _)) in members.iter().enumerate() {
        let other = (number + 1) % count;
        assert_eq!(look_up(place, names[other]), members[other].1, "{} asks for {}", names[number], names[other]);
        let port = u16::try_from(FIRST + number).expect("a port");
        let reached = host.reaches(SocketAddr::from(([127, 0, 0, 1], port)), &place.listen(80), PATIENCE);
        assert!(reached.is_some(), "{} is not reached", names[number]);
    }
    drop(members);
    daemon.docker(&[&["rm", "-f"], &names[..]].concat()).ok();
    daemon.docker(&["network", "rm", "crowd"]).ok();
    eventually("no pair is left", || !daemon.on_host(&["ip", "-br", "link"]).stdout.contains("veth"));
    let rules = daemon.on_host(&["nft", "list", "ruleset"]);
    assert!(!rules.ok().contains("10.96.") && !rules.stdout.contains(" . 80,"), "{rules}");
    daemon.finish();
}

/// A line of `inspect`.
fn member(line: &str) -> (Place, [u8; 4]) {
    let (pid, address) = line.split_once(' ').expect("two fields");
    (Place::of(pid), address.parse::<std::net::Ipv4Addr>().expect("an address").octets())
}
