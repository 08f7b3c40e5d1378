//! Our standard input, read when there is something to read.
//!
//! The descriptor is shared with whoever started us, so it must not be made non-blocking; and a thread that sits in
//! read(2) could not be stopped. So we wait with epoll(7), make sure with poll(2), and only then read. A file on disk
//! cannot be waited for and need not be: reading it never takes long.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::sys;

/// Standard input.
pub(crate) struct Input {
    /// What can be waited for; `None` for a file on disk.
    waitable: Option<AsyncFd<BorrowedFd<'static>>>,
}

impl Input {
    /// Standard input, not yet read from.
    pub(crate) fn new() -> Self {
        Self { waitable: sys::waitable(stdin(), Interest::READABLE).ok() }
    }

    /// Waits for input and returns what there is. Empty is the end.
    pub(crate) async fn read<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        if let Some(waitable) = &self.waitable {
            loop {
                let mut ready = waitable.readable().await?;
                if readable_now()? {
                    break;
                }
                ready.clear_ready();
            }
        }
        let count = rustix::io::read(stdin(), &mut *buffer)?;
        Ok(buffer.get(..count).unwrap_or_default())
    }
}

/// Whether a read would return at once, with data or with the end.
fn readable_now() -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(stdin(), PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(poll(&mut fds, Some(&now))? > 0)
}
