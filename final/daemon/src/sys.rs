//! Descriptors that were there before this program.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
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
