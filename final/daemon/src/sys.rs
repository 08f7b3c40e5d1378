//! Descriptors that were there before this program, and what is still on its way through one.

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Once;

/// The first descriptor that is passed.
const FIRST: RawFd = 3;

/// Takes over the `count` descriptors from number 3 on, which whoever executed this program has left open for it
/// (`sd_listen_fds(3)`). The first call gets them, the first thing in `main`; later ones get nothing.
pub(crate) fn take_over(count: RawFd) -> Vec<OwnedFd> {
    static ONCE: Once = Once::new();
    let mut taken = Vec::new();
    ONCE.call_once(|| {
        // SAFETY: our parent has left these numbers for us, this program has opened nothing yet, and this is done once: so
        // each has no other owner. A number that is not open fails at its first use.
        taken.extend((FIRST..FIRST + count).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
    });
    taken
}

/// How many of the bytes written to a socket its other end has not read yet (unix(7)), or not acknowledged (tcp(7)):
/// `SIOCOUTQ`. 0 when the kernel does not know.
pub(crate) fn unread(socket: BorrowedFd<'_>) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed, and the request writes one int to where it is told.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if done == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}
