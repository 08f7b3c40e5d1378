//! A daemon that answers as it is told and remembers what it was asked, for tests of what the program says and when.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What is answered to a request.
pub(crate) enum Answer {
    /// A status and a body.
    Plain(u16, &'static str),
    /// The connection is handed over; this is written on it at once, and then it is closed.
    Stream(&'static [u8]),
    /// The connection is handed over, and what comes in goes out as frames of standard output once it has ended.
    Echo,
    /// The connection is handed over and stays open for as long as the client wants it.
    Hold,
}

/// Decides by method, path without version, and how often the same was asked before.
pub(crate) type Script = fn(&str, &str, usize) -> Answer;

/// The daemon.
pub(crate) struct Daemon {
    directory: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    /// Listens on a socket of its own.
    pub(crate) fn new(script: Script) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("sock")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let asked = Arc::clone(&remembered);
                std::thread::spawn(move || serve(connection.unwrap(), script, &asked));
            }
        });
        Self { directory, asked }
    }

    /// The program, to be run against this daemon.
    pub(crate) fn skiff(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skiff"));
        command.args(["-H", &self.address()]).args(arguments).stdin(Stdio::null());
        command
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}/sock", self.directory.path().display())
    }

    /// Runs it to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.skiff(arguments).output().unwrap()
    }

    /// Waits until something was asked that contains `part`.
    pub(crate) fn wait_for(&self, part: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self.asked().iter().any(|line| line.contains(part)) {
            assert!(Instant::now() < deadline, "nobody asked for {part}: {:?}", self.asked());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// `METHOD PATH` of every request, in the order of their arrival.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// One connection, until it ends or is handed over.
fn serve(stream: UnixStream, script: Script, asked: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some((method, path)) = request(&mut reader) {
        let answer = {
            let mut asked = asked.lock().unwrap();
            let line = format!("{method} {path}");
            let before = asked.iter().filter(|known| **known == line).count();
            asked.push(line);
            script(&method, &path[path[1..].find('/').unwrap() + 1..], before)
        };
        match answer {
            Answer::Plain(status, body) => {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                stream.write_all(head.as_bytes()).unwrap();
            }
            Answer::Stream(bytes) => {
                upgrade(&mut stream);
                let _ = stream.write_all(bytes);
                return;
            }
            Answer::Hold => {
                upgrade(&mut stream);
                let _ = reader.read_to_end(&mut Vec::new());
                return;
            }
            Answer::Echo => {
                upgrade(&mut stream);
                let mut input = Vec::new();
                reader.read_to_end(&mut input).unwrap();
                stream.write_all(&frame(1, &input)).unwrap();
                stream.shutdown(Shutdown::Both).unwrap();
                return;
            }
        }
    }
}

fn upgrade(stream: &mut UnixStream) {
    stream.write_all(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n").unwrap();
}

/// A piece of a multiplexed stream.
pub(crate) fn frame(channel: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = vec![channel, 0, 0, 0];
    frame.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    frame.extend(bytes);
    frame
}

/// Reads a request's head and skips its body; method and path.
fn request(reader: &mut BufReader<UnixStream>) -> Option<(String, String)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    reader.read_exact(&mut vec![0; length]).ok()?;
    Some((method, path))
}
