//! The two things that need `unsafe`.

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Makes the command the leader of a session of its own (setsid(2)): closing the terminal or pressing Ctrl-C in it is then
/// none of its business.
pub(crate) fn own_session(command: &mut Command) -> &mut Command {
    let detach = || rustix::process::setsid().map(drop).map_err(io::Error::from);
    // SAFETY: between fork and exec only async-signal-safe calls are allowed. setsid is one system call; it allocates
    // nothing and takes no lock.
    unsafe { command.pre_exec(detach) }
}

/// A descriptor that can be waited for with epoll(7). A file on disk cannot, which is the error EPERM.
pub(crate) fn waitable(file: BorrowedFd<'_>, interest: Interest) -> io::Result<AsyncFd<BorrowedFd<'_>>> {
    // SAFETY: the descriptor must stay open, and be the same, for as long as the AsyncFd lives. That is what a BorrowedFd
    // promises: it has one number, and it borrows from something that keeps it open.
    unsafe { AsyncFd::register_with_interest(file, interest) }.map_err(io::Error::from)
}
