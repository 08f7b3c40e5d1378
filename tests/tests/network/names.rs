//! How containers find each other by name, and whom they ask for other names.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use skiff_tests::Daemon;

use crate::bench::{PATIENCE, Place, endpoint, outside, sleeper};

fn look_up(daemon: &Daemon, container: &str, arguments: &[&str]) -> String {
    let ran = daemon.docker(&[&["exec", container, "nslookup"], arguments].concat());
    // The first two lines say who was asked.
    let said = |line: &&str| ["Name:", "Address:", "name ="].iter().any(|word| line.contains(word));
    ran.stdout.lines().skip(2).filter(said).collect::<Vec<_>>().join(" ")
}

#[test]
fn containers_find_each_other() {
    let mut daemon = Daemon::start();
    daemon.docker(&["network", "create", "--subnet", "10.91.0.0/24", "back"]).ok();
    daemon.docker(&["network", "create", "--subnet", "10.92.0.0/24", "front"]).ok();
    sleeper(&daemon, "asker", &["--network", "back"]);
    sleeper(&daemon, "web1", &["--network", "back", "--network-alias", "web"]);
    sleeper(&daemon, "web2", &["--network", "back", "--network-alias", "web"]);
    sleeper(&daemon, "other", &["--network", "front", "--network-alias", "web"]);
    sleeper(&daemon, "plain", &[]);
    let id = daemon.docker(&["inspect", "-f", "{{slice .Id 0 12}}", "web1"]).ok().to_owned();
    let check = |daemon: &Daemon| {
        assert_eq!(look_up(daemon, "asker", &["web1"]), "Name:\tweb1 Address: 10.91.0.3");
        assert_eq!(look_up(daemon, "asker", &["WEB2.back"]), "Name:\tWEB2.back Address: 10.91.0.4");
        assert_eq!(look_up(daemon, "asker", &[&id]), format!("Name:\t{id} Address: 10.91.0.3"));
        let both = look_up(daemon, "asker", &["web"]);
        assert!(both.contains("10.91.0.3") && both.contains("10.91.0.4") && !both.contains("10.92"), "{both}");
        let name = look_up(daemon, "asker", &["10.91.0.4"]);
        assert!(name.contains("name = web2.back"), "{name}");
        assert!(look_up(daemon, "other", &["web"]).contains("10.92.0.2"));
    };
    check(&daemon);
    // The default network has no names: whom its containers ask is not us.
    assert!(!daemon.docker(&["exec", "plain", "cat", "/etc/resolv.conf"]).ok().contains("127.0.0.11"));
    // A new name is known at once.
    daemon.docker(&["rename", "web2", "web3"]).ok();
    assert_eq!(look_up(&daemon, "asker", &["web3"]), "Name:\tweb3 Address: 10.91.0.4");
    daemon.docker(&["rename", "web3", "web2"]).ok();
    // The next engine answers as well.
    daemon.crash();
    daemon.restart();
    check(&daemon);
    // A container may serve its own port 53.
    let own = Place::of_container(&daemon, "web1").datagrams("0.0.0.0:53");
    assert_eq!(look_up(&daemon, "web1", &["web2"]), "Name:\tweb2 Address: 10.91.0.4");
    drop(own);
    daemon.docker(&["rm", "-f", "asker", "web1", "web2", "other", "plain"]).ok();
    daemon.docker(&["network", "rm", "back", "front"]).ok();
    daemon.finish();
}

/// The answer of a server outside: the question again, as an answer with the address 198.51.100.7.
fn answer(question: &[u8]) -> Vec<u8> {
    let end = question.get(12..).and_then(|rest| rest.iter().position(|byte| *byte == 0)).expect("a name") + 17;
    let mut answer = question[..end].to_vec();
    // An answer, one record, nothing additional.
    answer[2] |= 0x80;
    answer[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 198, 51, 100, 7]);
    answer
}

/// A question by TCP, which is passed on by TCP.
fn ask_by_tcp(server: &TcpListener, container: &Place) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = server.accept().expect("a connection");
            let mut length = [0; 2];
            stream.read_exact(&mut length).expect("a length");
            let mut question = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut question).expect("a question");
            let reply = answer(&question);
            let length = u16::try_from(reply.len()).expect("short").to_be_bytes();
            stream.write_all(&[&length[..], &reply].concat()).expect("send");
        });
        let mut client = container.inside(|| TcpStream::connect("127.0.0.11:53").expect("connect"));
        client.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let question =
            b"\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03abc\x07example\x00\x00\x01\x00\x01";
        client.write_all(question).expect("write");
        let mut reply = [0; 47];
        client.read_exact(&mut reply).expect("an answer");
        assert_eq!(reply[43..], [198, 51, 100, 7]);
    });
}

#[test]
fn other_names_are_asked_for_outside_but_not_from_an_internal_network() {
    let daemon = Daemon::start();
    let outside = outside(&daemon);
    let server = outside.datagrams("192.0.2.2:53");
    server.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    let tcp = outside.inside(|| TcpListener::bind("192.0.2.2:53").expect("listen"));
    daemon.docker(&["network", "create", "open"]).ok();
    daemon.docker(&["network", "create", "--internal", "closed"]).ok();
    sleeper(&daemon, "free", &["--network", "open", "--dns", "192.0.2.2", "--dns-search", "x.example"]);
    sleeper(&daemon, "inner", &["--network", "closed", "--dns", "192.0.2.2"]);
    let resolv = daemon.docker(&["exec", "free", "cat", "/etc/resolv.conf"]);
    assert_eq!(resolv.ok().lines().take(2).collect::<Vec<_>>(), ["nameserver 127.0.0.11", "search x.example"]);

    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut packet = [0; 512];
            let (length, from) = server.recv_from(&mut packet).expect("a question");
            assert_eq!(from.ip().to_string(), "192.0.2.1", "the host asks");
            // Somebody who guesses is not believed: another number.
            let mut forged = answer(&packet[..length]);
            forged[0] ^= 0xff;
            server.send_to(&forged, from).expect("send");
            server.send_to(&answer(&packet[..length]), from).expect("send");
        });
        let found = look_up(&daemon, "free", &["-type=a", "name.example"]);
        assert!(found.contains("198.51.100.7"), "{found}");
    });
    ask_by_tcp(&tcp, &Place::of_container(&daemon, "free"));
    // From inside nothing is asked (CVE-2024-29018): names are a way to carry data out.
    server.set_read_timeout(Some(std::time::Duration::from_millis(300))).expect("a time-out");
    let refused = daemon.docker(&["exec", "inner", "nslookup", "secret.example"]);
    assert!(refused.stdout.contains("NXDOMAIN"), "{refused}");
    assert!(server.recv_from(&mut [0; 512]).is_err(), "a question has left the internal network");
    assert_eq!(
        look_up(&daemon, "inner", &["inner"]),
        format!("Name:\tinner Address: {}", endpoint(&daemon, "inner", "closed", "IPAddress"))
    );
    daemon.docker(&["rm", "-f", "free", "inner"]).ok();
    daemon.docker(&["network", "rm", "open", "closed"]).ok();
    daemon.finish();
}
