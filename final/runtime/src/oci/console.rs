//! The terminal of a container, on its way to somebody else.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use namespaces::{Context, Failure, Result};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use super::options::Options;

/// The socket of `--console-socket`: whoever listens there gets the terminal's outer end.
pub(crate) struct ConsoleSocket {
    socket: UnixStream,
}

impl ConsoleSocket {
    /// Connects to it, if it was given. It must be when `required`, for a terminal without an outer end is of no use.
    pub(crate) fn of(options: &Options, required: bool) -> Result<Option<Self>> {
        match options.value("console-socket").filter(|path| !path.is_empty()) {
            Some(path) => {
                let socket = UnixStream::connect(path).during("connect to the console socket", path)?;
                Ok(Some(Self { socket }))
            }
            None if required => Err(Failure::new("give the container a terminal", "nobody would hold its other end")
                .hint("Give --console-socket, or set process.terminal to false.")),
            None => Ok(None),
        }
    }

    /// Sends the terminal: one descriptor beside a name, as runc does and all listeners expect.
    pub(crate) fn send(&self, terminal: BorrowedFd<'_>) -> Result<()> {
        let fds = [terminal];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&fds));
        let name = [IoSlice::new(b"/dev/ptmx")];
        rustix::net::sendmsg(self.socket.as_fd(), &name, &mut control, SendFlags::NOSIGNAL)
            .step("send the terminal to the console socket")?;
        Ok(())
    }
}
