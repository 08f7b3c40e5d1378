//! Requests that make no sense: each gets a reason, nobody else notices, nothing is left.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use skiff_tests::Daemon;

/// A small generator (xorshift): the same requests each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len())]
    }
}

/// Operations that read a body, on things that are not there or cannot be made of it.
const POSTS: [&str; 14] = [
    "/containers/create",
    "/containers/nobody/update",
    "/containers/nobody/exec",
    "/containers/life/exec",
    "/containers/life/update",
    "/exec/nothing/start",
    "/networks/create",
    "/networks/nothing/connect",
    "/networks/bridge/disconnect",
    "/volumes/create",
    "/containers/life/resize?h=x&w=y",
    "/containers/life/kill?signal=SIGNOTHING",
    "/containers/life/rename?name=%2F%2F",
    "/containers/life/stop?t=soon",
];

const GETS: [&str; 12] = [
    "/containers/json?filters=%7B",
    "/containers/json?filters=%7B%22colour%22%3A%5B%22red%22%5D%7D",
    "/containers/json?limit=many",
    "/containers/nobody/json",
    "/containers/life/logs",
    "/containers/life/top?ps_args=--help",
    "/containers/life/logs?stdout=1&since=yesterday",
    "/images/json?filters=%5B%5D",
    "/events?since=soon",
    "/no/such/path",
    "/v1.99/info",
    "/v1.2/info",
];

const BODIES: [&str; 14] = [
    "",
    "{",
    "[]",
    "null",
    "42",
    "\"text\"",
    "{\"Image\":7}",
    "{\"Image\":\"hello\",\"Cmd\":{\"a\":1}}",
    "{\"Image\":\"hello\",\"HostConfig\":{\"Memory\":\"64m\"}}",
    "{\"Image\":\"hello\",\"HostConfig\":{\"Memory\":1}}",
    "{\"Image\":\"hello\",\"HostConfig\":{\"PortBindings\":[1]}}",
    "{\"Name\":[],\"Driver\":{}}",
    "{\"Name\":\"../../etc\",\"Driver\":\"none such\",\"Cmd\":5,\"Container\":[]}",
    "\u{0}\u{1}\u{7f}",
];

/// Sends bytes and reads the answer's status and body, until the daemon closes.
fn ask(daemon: &Daemon, bytes: &[u8]) -> (u16, String) {
    let mut stream = UnixStream::connect(daemon.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    // The daemon may refuse and close before it has read all: then its answer is there all the same.
    let _closed_early = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
    (status, body)
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into()
}

/// One request that must be refused, whatever the dice say.
fn nonsense(dice: &mut Dice) -> Vec<u8> {
    match dice.roll(8) {
        0..=3 => request("POST", dice.of(&POSTS), "Content-Type: application/json\r\n", dice.of(&BODIES)),
        4 => request("GET", dice.of(&GETS), "", ""),
        5 => request(
            dice.of(&["PATCH", "TRACE", "PUT", "DELETE"]),
            dice.of(&["/info", "/version", "/_ping/x", "/"]),
            "",
            "",
        ),
        // A body that is not what its head says.
        6 => {
            let deep = "[".repeat(10_000);
            request("POST", "/containers/create", "", &deep)
        }
        _ => {
            let long = "x".repeat(1 + dice.roll(100_000));
            request("GET", &format!("/containers/{long}/json"), "", "")
        }
    }
}

fn count() -> usize {
    if std::env::var("SKIFF_SOAK").is_ok() { 5000 } else { 500 }
}

fn descriptors(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count()
}

#[test]
fn nonsense_is_refused_with_a_reason() {
    let daemon = Daemon::bare(&[]);
    let mut dice = Dice(0x5eed_0f5c_1ff5);
    daemon.docker(&["create", "--name", "life", "hello"]).ok();
    let ping = request("GET", "/_ping", "", "");
    let before = descriptors(&daemon);
    let mut hanging = Vec::new();
    for number in 0..count() {
        let bytes = nonsense(&mut dice);
        let (status, body) = ask(&daemon, &bytes);
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        let accepted = matches!(status, 200 | 201 | 204 | 304) && makes_sense(&head);
        assert!(accepted || (400..500).contains(&status), "{status} {body}\n--- to request {number}\n{head}");
        // What does not even parse as HTTP has no body to put a reason into.
        assert!(
            accepted || body.contains("\"message\"") || matches!(status, 400 | 414 | 431),
            "{body}\n--- to\n{head}"
        );
        if number % 50 == 0 {
            // Half a request, and one that waits for its stream: they are there, and nobody cares.
            let mut half = UnixStream::connect(daemon.socket()).unwrap();
            half.write_all(b"POST /containers/life/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\n").unwrap();
            if dice.roll(2) == 0 {
                half.write_all(b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n").unwrap();
            }
            hanging.push(half);
            assert_eq!(ask(&daemon, &ping), (200, "OK".to_owned()));
        }
    }
    for half in hanging {
        let _already_closed = half.shutdown(Shutdown::Both);
    }
    daemon.docker(&["rm", "-f", "life"]).ok();
    let made = daemon.docker(&["volume", "ls", "-q"]).ok().to_owned();
    for volume in made.lines() {
        daemon.docker(&["volume", "rm", volume]).ok();
    }
    let deadline = Instant::now() + Duration::from_mins(1);
    while descriptors(&daemon) > before + 3 {
        assert!(Instant::now() < deadline, "descriptors grow: {before} to {}", descriptors(&daemon));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    daemon.finish();
}

/// What the dice make that is no nonsense: a volume needs no name, an update may say nothing, a `kill` of what has ended.
fn makes_sense(head: &str) -> bool {
    ["/volumes/create", "/containers/life/update", "/containers/life/stop"].iter().any(|path| head.contains(path))
}

/// Bytes that are no HTTP, or not to the end: what is sent, and the statuses that may come back.
fn broken() -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let create = "POST /containers/create HTTP/1.1\r\nHost: d\r\nConnection: close\r\n";
    let chunked = format!("{create}Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n");
    let head = |line: &str| format!("{create}{line}\r\n\r\n").into_bytes();
    let many = "X-Many: y\r\n".repeat(2000);
    let body = "{\"Image\":7}";
    vec![
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n".to_vec(), &[400]),
        ("another version", b"GET /info HTTP/9.9\r\n\r\n".to_vec(), &[400]),
        ("a header without an end", [create.as_bytes(), &[b'x'; 1 << 20]].concat(), &[400, 431]),
        ("a huge header", head(&format!("X-Long: {}", "y".repeat(1 << 20))), &[431]),
        ("too many headers", head(&many), &[400, 431]),
        ("two lengths", head("Content-Length: 5\r\nContent-Length: 6"), &[400]),
        ("a length that is no number", head("Content-Length: many"), &[400]),
        ("a negative length", head("Content-Length: -1"), &[400]),
        ("chunks without a length", format!("{chunked}nonsense\r\n").into_bytes(), &[400]),
        ("a chunk that is too long", format!("{chunked}ffffffffffffffffff\r\n{body}").into_bytes(), &[400]),
        ("chunks that end early", format!("{chunked}ff\r\n{body}").into_bytes(), &[400]),
        ("chunks that are fine", format!("{chunked}b\r\n{body}\r\n0\r\n\r\n").into_bytes(), &[400]),
        ("a body that is too large", head(&format!("Content-Length: {}", 1_u64 << 40)), &[400, 413]),
        ("a NUL in the path", b"GET /containers/\0/json HTTP/1.1\r\nHost: d\r\n\r\n".to_vec(), &[400]),
        ("an upgrade to nothing", head("Connection: Upgrade\r\nUpgrade: h2c"), &[400]),
    ]
}

#[test]
fn who_speaks_no_http_is_told_so() {
    let daemon = Daemon::bare(&[]);
    for (what, bytes, allowed) in broken() {
        let mut stream = UnixStream::connect(daemon.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let _closed_early = stream.write_all(&bytes);
        // Only who has not said all: a client that hangs up after a whole request wants no answer any more.
        if matches!(what, "chunks that end early" | "a body that is too large") {
            let _closed_early = stream.shutdown(Shutdown::Write);
        }
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        assert!(allowed.contains(&status), "{what}: {answer:?}");
    }
    // Several requests in one piece are answered one after the other.
    let ping = "GET /_ping HTTP/1.1\r\nHost: d\r\n";
    let (status, rest) = ask(&daemon, format!("{ping}\r\n{ping}\r\n{ping}Connection: close\r\n\r\n").as_bytes());
    assert_eq!((status, rest.matches("HTTP/1.1 200 OK").count()), (200, 2), "{rest}");
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    daemon.finish();
}

/// A thousand clients that say nothing, or one letter at a time, are in nobody's way, and cost nothing when they are gone.
#[test]
fn slow_clients_hold_nobody_up() {
    let daemon = Daemon::bare(&[]);
    let before = descriptors(&daemon);
    let head = b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 4000000\r\nContent-Type: application/json\r\n\r\n";
    let mut clients = Vec::new();
    for number in 0..if std::env::var("SKIFF_SOAK").is_ok() { 1000 } else { 300 } {
        let mut client = UnixStream::connect(daemon.socket()).unwrap();
        // Idle, in the middle of a head, in the middle of a body.
        let part = [0, head.len() / 2, head.len()][number % 3];
        client.write_all(&head[..part]).unwrap();
        clients.push((client, part));
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        for (client, sent) in clients.iter_mut().filter(|(_, sent)| *sent > 0) {
            // The next letter of the head; of the body, a space, which may be anywhere in JSON.
            client.write_all(&[*head.get(*sent).unwrap_or(&b' ')]).unwrap();
            *sent += 1;
        }
        let asked = Instant::now();
        assert_eq!(daemon.docker(&["ps", "-q"]).ok(), "");
        slowest = slowest.max(asked.elapsed());
    }
    eprintln!("beside {} slow clients `docker ps` took at most {} ms", clients.len(), slowest.as_millis());
    drop(clients);
    let deadline = Instant::now() + Duration::from_mins(1);
    while descriptors(&daemon) > before + 3 {
        assert!(Instant::now() < deadline, "descriptors grow: {before} to {}", descriptors(&daemon));
        std::thread::sleep(Duration::from_millis(50));
    }
    daemon.finish();
}
