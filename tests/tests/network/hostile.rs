//! Packets and connections that mean harm to the resolver: others go on being answered.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use skiff_tests::Daemon;

use crate::bench::{PATIENCE, Place, sleeper};

const RESOLVER: ([u8; 4], u16) = ([127, 0, 0, 11], 53);

/// A question for the address of `other`.
const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05other\x00\x00\x01\x00\x01";

fn soak(few: usize, many: usize) -> usize {
    if std::env::var_os("SKIFF_SOAK").is_some() { many } else { few }
}

/// Numbers that look random and are the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A packet that is nearly a question, or not at all.
    fn packet(&mut self) -> Vec<u8> {
        let mut packet = QUESTION.to_vec();
        match self.next() % 4 {
            0 => (0..self.next() % 600).for_each(|_| packet.push(self.next().to_le_bytes()[0])),
            1 => packet.truncate(usize::try_from(self.next() % 24).expect("small")),
            // Names that point to themselves.
            2 => packet.splice(12.., [0xc0, 12, 0, 1, 0, 1]).for_each(drop),
            _ => {}
        }
        for _ in 0..self.next() % 4 {
            let place = usize::try_from(self.next()).unwrap_or_default() % packet.len().max(1);
            if let Some(byte) = packet.get_mut(place) {
                *byte = self.next().to_le_bytes()[0];
            }
        }
        packet
    }
}

/// Asks until there is an answer, and returns how long the last question took.
fn ask(socket: &UdpSocket) -> Duration {
    let end = Instant::now() + PATIENCE;
    loop {
        let began = Instant::now();
        socket.send_to(QUESTION, SocketAddr::from(RESOLVER)).expect("send");
        let mut packet = [0; 512];
        if let Ok(length) = socket.recv(&mut packet) {
            assert!(packet[..length].ends_with(&[10, 93, 0, 2]), "not the address: {:?}", &packet[..length]);
            return began.elapsed();
        }
        assert!(Instant::now() < end, "no answer");
    }
}

#[test]
fn hostile_packets_and_silent_connections_keep_nobody_else_waiting() {
    let daemon = Daemon::start();
    daemon.docker(&["network", "create", "--subnet", "10.93.0.0/24", "net"]).ok();
    sleeper(&daemon, "other", &["--network", "net"]);
    sleeper(&daemon, "hostile", &["--network", "net"]);
    let (hostile, other) = (Place::of_container(&daemon, "hostile"), Place::of_container(&daemon, "other"));
    let [attack, peaceful] = [&hostile, &other].map(|place| place.datagrams("0.0.0.0:0"));
    peaceful.set_read_timeout(Some(Duration::from_secs(1))).expect("a time-out");
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut slowest = Duration::ZERO;
    for round in 0..soak(1000, 10_000) {
        attack.send_to(&numbers.packet(), SocketAddr::from(RESOLVER)).expect("send");
        if round % 50 == 0 {
            slowest = slowest.max(ask(&peaceful));
        }
    }
    let mut silent = Vec::new();
    for _ in 0..soak(200, 1000) {
        // What is beyond its share is closed, or not taken at all.
        silent.extend(
            hostile.inside(|| TcpStream::connect_timeout(&SocketAddr::from(RESOLVER), Duration::from_millis(200)).ok()),
        );
    }
    assert!(!silent.is_empty());
    for _ in 0..20 {
        slowest = slowest.max(ask(&peaceful));
    }
    eprintln!("slowest answer to the others: {slowest:?}");
    // The same container is answered too, by datagrams and, when the silent ones have gone, by TCP.
    attack.set_read_timeout(Some(Duration::from_secs(1))).expect("a time-out");
    attack.set_nonblocking(true).expect("nonblocking");
    while attack.recv(&mut [0; 2048]).is_ok() {}
    attack.set_nonblocking(false).expect("blocking");
    let fresh = hostile.datagrams("0.0.0.0:0");
    fresh.set_read_timeout(Some(Duration::from_secs(1))).expect("a time-out");
    ask(&fresh);
    // A connection that says nothing is closed in the end.
    let mut first = silent.swap_remove(0);
    first.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    assert!(matches!(first.read(&mut [0]), Ok(0) | Err(_)));
    drop(silent);
    daemon.docker(&["rm", "-f", "other", "hostile"]).ok();
    daemon.docker(&["network", "rm", "net"]).ok();
    daemon.finish();
}
