//! A registry made of a function, for answers that no honest registry gives.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request: its path, and the headers by lower-case name.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(each, _)| each == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// After so many bytes of the body the connection breaks.
    pub(crate) cut: Option<usize>,
}

impl Answer {
    pub(crate) fn ok(body: &[u8]) -> Self {
        Self { status: 200, body: body.to_vec(), ..Self::default() }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// A server on loopback. Its thread ends with the test process.
pub(crate) struct Fake {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Fake {
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&seen));
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                thread::spawn(move || serve(&connection, &*answer, &log));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

/// One request, one answer.
fn serve(connection: &TcpStream, answer: &dyn Fn(&Request) -> Answer, log: &Mutex<Vec<Request>>) -> Option<()> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next()?.ok()?;
    let (method, path) = first.split_once(' ')?;
    let path = path.split(' ').next()?.to_owned();
    let lines = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
    let header = |line: String| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let request = Request { path, headers: lines.filter_map(header).collect() };
    log.lock().unwrap().push(request.clone());
    let answer = answer(&request);
    let headers: String = answer.headers.iter().flat_map(|(name, value)| [*name, ": ", value, "\r\n"]).collect();
    let head =
        format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n", answer.status, answer.body.len());
    let body = if method == "HEAD" { &[] } else { &answer.body[..answer.cut.unwrap_or(answer.body.len())] };
    (&*connection).write_all(&[head.as_bytes(), headers.as_bytes(), b"\r\n", body].concat()).ok()?;
    connection.shutdown(Shutdown::Both).ok()
}
