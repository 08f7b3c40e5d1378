//! Descriptors that were there before this program.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Takes over the `count` descriptors from number `first` on, which whoever executed this program has left open for it
/// (`sd_listen_fds(3)`).
///
/// # Safety
/// Nobody else in this process may own one of them. Called once, before any file is opened.
pub(crate) unsafe fn take_over(first: RawFd, count: RawFd) -> Vec<OwnedFd> {
    // SAFETY: the caller promises that they are nobody else's; numbers that are not open fail at their first use.
    (first..first + count).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect()
}
