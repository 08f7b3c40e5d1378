//! One attached client: which streams it wants, what waits for it.
//!
//! A client that reads slower than the container writes slows the container down, as docker's do: `skiff run … | less` must
//! show everything, however long the person reads. Nothing is thrown away and memory stays bounded: while more than
//! [`FULL`] bytes wait for somebody, the monitor does not read the container's output. A client that went away is noticed by
//! its closed socket and slows nobody.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use super::stream::Stream;
use crate::protocol::Attach;

/// Bytes that may wait for one client, besides the 200 kB or so that its socket holds.
const FULL: usize = 64 * 1024;

/// Length of a frame's head.
pub(crate) const HEAD: usize = 8;

/// What came from a client.
pub(crate) enum Input {
    /// So many bytes.
    Bytes(usize),
    /// It will write no more.
    End,
    /// Nothing just now.
    Nothing,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Attached {
    socket: OwnedFd,
    /// `stdin` until its end, the outputs until the client has gone.
    wants: Attach,
    waiting: Vec<u8>,
}

impl Attached {
    pub(crate) fn new(socket: OwnedFd, wants: Attach) -> Self {
        Self { socket, wants, waiting: Vec::new() }
    }

    /// What to poll it for, while the container's input has room or not. `None`: leave it out. A socket whose other end is
    /// closed reports a hang-up whatever it is asked for, and must not be asked in vain.
    pub(crate) fn interest(&self, input_has_room: bool) -> Option<PollFlags> {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.wants.stdin && input_has_room);
        flags.set(PollFlags::OUT, !self.waiting.is_empty());
        (!flags.is_empty() || !self.wants.stdin).then_some(flags)
    }

    /// Whether the container must wait for it.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() > FULL
    }

    /// Whether bytes wait for it.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether there is nothing more to do for it.
    pub(crate) fn is_done(&self) -> bool {
        !self.wants.stdin && !self.wants.stdout && !self.wants.stderr
    }

    /// Whether it has yet to say that its input has ended.
    pub(crate) fn gives_input(&self) -> bool {
        self.wants.stdin
    }

    /// Sends output, or keeps what its socket has no room for.
    pub(crate) fn offer(&mut self, stream: Stream, data: &[u8]) {
        let wanted = match stream {
            Stream::Output => self.wants.stdout,
            Stream::Error => self.wants.stderr,
        };
        if wanted {
            let sent = if self.waiting.is_empty() { self.send(data) } else { 0 };
            self.waiting.extend_from_slice(data.get(sent..).unwrap_or_default());
        }
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let sent = self.send(&waiting);
        // A new vector: the memory of a past flood is not kept.
        self.waiting = waiting.get(sent..).map(<[u8]>::to_vec).unwrap_or_default();
    }

    /// The other end is closed.
    pub(crate) fn hang_up(&mut self) {
        self.wants.stdout = false;
        self.wants.stderr = false;
        self.waiting = Vec::new();
    }

    /// Reads what it wrote for standard input.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> Input {
        match rustix::net::recv(&self.socket, buffer, RecvFlags::DONTWAIT) {
            Ok((_, read @ 1..)) => Input::Bytes(read),
            Err(Errno::AGAIN | Errno::INTR) => Input::Nothing,
            Ok((_, 0)) | Err(_) => {
                self.wants.stdin = false;
                Input::End
            }
        }
    }

    /// The program reads no more: the client's writes fail from now on, instead of waiting for ever.
    pub(crate) fn refuse_input(&mut self) {
        self.wants.stdin = false;
        // Fails only when the client has gone.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Read);
        // Bytes that nobody has read would turn the end of file at the other end into a connection reset.
        let mut unread = [0_u8; 4096];
        while matches!(rustix::net::recv(&self.socket, &mut unread[..], RecvFlags::DONTWAIT), Ok((_, 1..))) {}
    }

    /// The number of bytes that are taken care of: sent, or unwanted because the client has gone.
    fn send(&mut self, data: &[u8]) -> usize {
        match rustix::net::send(&self.socket, data, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(sent) => sent,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(_) => {
                self.hang_up();
                data.len()
            }
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.refuse_input();
    }
}

impl AsFd for Attached {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The head of docker's frame around `length` bytes of `stream`.
pub(crate) fn head(stream: Stream, length: usize) -> [u8; HEAD] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [stream as u8, 0, 0, 0, a, b, c, d]
}
