//! Readiness of descriptors that tokio has no type for. The only `unsafe` of the engine.

use std::io;
use std::os::fd::OwnedFd;

use skiff_runtime::Channel;
use tokio::io::unix::AsyncFd;

/// Waits for a conversation with a monitor.
pub(crate) fn watch_channel(channel: Channel) -> io::Result<AsyncFd<Channel>> {
    // SAFETY: a Channel owns its descriptor, which is open, and returns the same one for as long as it lives.
    unsafe { AsyncFd::register(channel) }.map_err(|error| error.into_parts().1)
}

/// Waits for a descriptor: a pidfd, an inotify instance.
pub(crate) fn watch_fd(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open and returns the same descriptor for as long as it lives.
    unsafe { AsyncFd::register(fd) }.map_err(|error| error.into_parts().1)
}
