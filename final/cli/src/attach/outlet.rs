//! Our standard output and error. A reader that is slow must not keep us from passing on input and signals.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::{stderr, stdout};
use tokio::io::Interest;

use crate::error::Result;
use crate::output::output_error;
use crate::sys;

/// A write of this size to a pipe that is ready does not block (pipe(7), `PIPE_BUF`).
const PIECE: usize = 4096;

/// Writes everything to standard output.
pub(crate) async fn to_output(bytes: &[u8]) -> Result<()> {
    write_all(stdout(), bytes).await.map_err(|error| output_error(&error))
}

/// Writes everything to standard error.
pub(crate) async fn to_error(bytes: &[u8]) -> Result<()> {
    write_all(stderr(), bytes).await.map_err(|error| output_error(&error))
}

async fn write_all(file: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        if !writable_now(file)? {
            // Only pipes, sockets and terminals are ever not ready, and those can be waited for.
            drop(sys::waitable(file, Interest::WRITABLE)?.writable().await?);
            continue;
        }
        let piece = bytes.get(..PIECE).unwrap_or(bytes);
        let count = rustix::io::write(file, piece)?;
        bytes = bytes.get(count..).unwrap_or_default();
    }
    Ok(())
}

fn writable_now(file: BorrowedFd<'_>) -> io::Result<bool> {
    let mut fds = [PollFd::from_borrowed_fd(file, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(poll(&mut fds, Some(&now))? > 0)
}
