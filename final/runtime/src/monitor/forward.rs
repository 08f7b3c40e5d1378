//! Output on its way to a collector: lines become messages, messages wait in a queue until its socket takes them.
//!
//! The monitor has one thread, which must not stand still because a server somewhere is slow. So the socket never blocks, and
//! what it does not take waits. When too much waits, the plan says who gives way: the container, whose output is not read for as
//! long (its pipe fills, and it stops in write(2)), or the log, which loses what comes then.
//!
//! A collector that went away is looked for again, once a second at most; what comes meanwhile is lost, and told at the end.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use jiff::ZonedDateTime;
use namespaces::{Cause, Failure, Result};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::collector::Connection;
use super::lines::Lines;
use super::stream::Stream;
use super::{journal, syslog};
use crate::plan::{Collector, Forward};

/// How long nothing is tried after a collector could not be reached.
const PAUSE: Duration = Duration::from_secs(1);

/// A collector and what waits for it.
#[derive(Debug)]
pub(crate) struct Forwarder {
    plan: Forward,
    connection: Connection,
    /// Complete messages, the oldest first.
    queue: VecDeque<Vec<u8>>,
    /// Bytes in the queue.
    waiting: usize,
    /// Bytes of the first message that a stream has taken already.
    sent: usize,
    lines: [Lines; 2],
    /// Nothing is tried before this moment.
    not_before: Option<Instant>,
    /// The first thing that went wrong. A log that is lost must not stop the container, so it is told at the end.
    pub(crate) failure: Option<Failure>,
}

impl Forwarder {
    /// Connects to the collector.
    pub(crate) fn open(plan: &Forward) -> Result<Self> {
        Ok(Self {
            connection: Connection::open(&plan.collector)?,
            plan: plan.clone(),
            queue: VecDeque::new(),
            waiting: 0,
            sent: 0,
            lines: Default::default(),
            not_before: None,
            failure: None,
        })
    }

    /// Records what was read from `stream`.
    pub(crate) fn record(&mut self, stream: Stream, data: &[u8]) {
        self.messages(stream, |lines, piece| lines.feed(data, piece));
    }

    /// Both streams have ended: the last lines had no line feed.
    pub(crate) fn finish(&mut self) {
        for stream in [Stream::Output, Stream::Error] {
            self.messages(stream, |lines, piece| lines.finish(piece));
        }
    }

    /// Makes a message of each piece that `cut` makes. They were read at once, so they have one time.
    fn messages(&mut self, stream: Stream, cut: impl FnOnce(&mut Lines, &mut dyn FnMut(&[u8]))) {
        let [output, error] = &mut self.lines;
        let lines = match stream {
            Stream::Output => output,
            Stream::Error => error,
        };
        let (now, mut made) = (ZonedDateTime::now(), Vec::new());
        let collector = &self.plan.collector;
        cut(lines, &mut |piece| made.push(message(collector, stream, piece, &now)));
        for message in made {
            self.enqueue(message);
        }
        self.flush();
    }

    fn enqueue(&mut self, message: Vec<u8>) {
        if self.plan.lossy && self.is_full() {
            return self.lose(Failure::new("forward the log", "its buffer was full").hint("Raise max-buffer-size."));
        }
        self.waiting += message.len();
        self.queue.push_back(message);
    }

    fn lose(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Whether the container has to wait, because as much waits as may and nothing shall be lost.
    pub(crate) fn holds_up(&self) -> bool {
        !self.plan.lossy && self.is_full()
    }

    /// Whether as much waits as may.
    fn is_full(&self) -> bool {
        self.waiting >= self.plan.buffer
    }

    /// The socket, while something waits for it.
    pub(crate) fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        (!self.queue.is_empty()).then(|| self.connection.socket.as_fd())
    }

    /// Sends as much as the socket takes now.
    pub(crate) fn flush(&mut self) {
        while let Some(message) = self.queue.front() {
            let rest = message.get(self.sent..).unwrap_or_default();
            match send(&self.connection, rest) {
                Ok(sent) if sent < rest.len() && !self.connection.datagrams => self.sent += sent,
                Ok(_) => self.drop_first(),
                Err(Errno::AGAIN) => return,
                Err(errno) => self.start_over(errno),
            }
        }
    }

    /// The first message is gone: sent, or lost.
    fn drop_first(&mut self) {
        self.waiting -= self.queue.pop_front().map_or(0, |message| message.len());
        self.sent = 0;
    }

    /// The connection has failed. A new one takes the first message from its beginning; if there is none it is lost.
    fn start_over(&mut self, errno: Errno) {
        self.sent = 0;
        let now = Instant::now();
        if self.not_before.is_none_or(|moment| moment <= now) {
            self.not_before = Some(now + PAUSE);
            if self.connection.renew().is_ok() {
                return;
            }
        }
        self.lose(errno.failure("send the log to").on(&self.connection));
        self.drop_first();
    }

    /// Sends what still waits, until the `deadline`.
    pub(crate) fn drain(&mut self, deadline: Instant) {
        self.flush();
        while let Some(left) = self.waits_for().and_then(|_| deadline.checked_duration_since(Instant::now())) {
            let timeout =
                Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(0), tv_nsec: left.subsec_nanos().into() };
            let mut fds = [PollFd::new(&self.connection.socket, PollFlags::OUT)];
            if !matches!(rustix::event::poll(&mut fds, Some(&timeout)), Ok(1..) | Err(Errno::INTR)) {
                break;
            }
            self.flush();
        }
        if !self.queue.is_empty() {
            self.lose(Failure::new("forward the log", "the collector did not take the last of it"));
        }
    }
}

fn message(collector: &Collector, stream: Stream, piece: &[u8], now: &ZonedDateTime) -> Vec<u8> {
    match collector {
        Collector::Syslog(server) => syslog::message(server, stream, piece, now, std::process::id()),
        Collector::Journal { fields, .. } => journal::message(fields, stream, piece),
    }
}

fn send(connection: &Connection, bytes: &[u8]) -> Result<usize, Errno> {
    rustix::net::send(&connection.socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)
}
