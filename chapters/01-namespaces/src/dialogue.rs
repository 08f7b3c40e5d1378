//! The dialogue of parent and child: one socket pair, one enumeration of messages, one `send`, one `recv`.
//!
//! Why a socket and not a pipe: it goes both ways, it keeps messages apart, it can carry a descriptor (the terminal), and its
//! end is noticed on either side. Why JSON: a failure is a value with words in it, and the receiver may one day be another
//! build than the sender.
//!
//! The child's end is closed by its own execve(2). That is the trick by which the parent learns of a success that nobody can
//! report: after execve there is no code of ours left to report it.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Result};

/// Most bytes of one message. The longest is a failure with two paths, or the timings of some fifty steps.
const LIMIT: usize = 64 << 10;

/// What parent and child say to each other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// Parent: everything that can be done to you from outside is done.
    Go,
    /// Intermediate to parent, with its pidfd: the child has this process id.
    Cloned(i32),
    /// Child: everything is mounted, and I wait for another Go ([`Stage::mounted`](crate::Stage::mounted)).
    Mounted,
    /// Child, with the descriptor: the other end of my terminal.
    Console,
    /// Child: all steps are done; next is execve, or the gate.
    Ready(Vec<Timing>),
    /// Child: this went wrong, and I exit.
    Failed(Failure),
}

/// How long one thing took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Name of the step, or `prepare STAGE`, `attach STAGE`, `clone3`.
    pub name: String,
    /// Wall time.
    pub took: Duration,
}

/// One end of the socket pair. Each process closes the other's end at once; a copy kept by mistake would keep the socket from
/// ever closing.
///
/// A message is a datagram, so it arrives whole or not at all (unix(7), `SOCK_SEQPACKET`).
#[derive(Debug)]
pub(crate) struct Dialogue {
    socket: OwnedFd,
}

impl Dialogue {
    /// Both ends, closed on exec.
    pub(crate) fn pair() -> Result<(Self, Self)> {
        let kind = SocketType::SEQPACKET;
        let (one, other) = rustix::net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)
            .step("make a pair of sockets")?;
        Ok((Self { socket: one }, Self { socket: other }))
    }

    /// Sends `message`, with a descriptor where the message has one. `EPIPE` when the other side is gone.
    pub(crate) fn send(&self, message: &Message, fd: Option<BorrowedFd<'_>>) -> Result<()> {
        let step = "talk to the other process";
        let bytes = serde_json::to_vec(message).step(step)?;
        let fds = fd.map(|fd| [fd]);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if let Some(fds) = &fds {
            control.push(SendAncillaryMessage::ScmRights(fds));
        }
        rustix::net::sendmsg(&self.socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL).step(step)?;
        Ok(())
    }

    /// Waits for the next message. `None` when the other side has closed its end, by execve, by exit or by being killed.
    pub(crate) fn recv(&self) -> Result<Option<(Message, Option<OwnedFd>)>> {
        let step = "listen to the other process";
        let mut bytes = vec![0; LIMIT];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            rustix::net::recvmsg(&self.socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
        });
        // The other side was killed before it had read everything: the same end, in other words.
        let received = match received {
            Err(rustix::io::Errno::CONNRESET) => return Ok(None),
            received => received.step(step)?,
        };
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(Failure::new(step, "the message is too long"));
        }
        let Some(text) = bytes.get(..received.bytes).filter(|text| !text.is_empty()) else { return Ok(None) };
        let fd = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        Ok(Some((serde_json::from_slice(text).step(step)?, fd)))
    }
}

impl AsFd for Dialogue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_whole_and_a_closed_end_is_the_end() {
        let (here, there) = Dialogue::pair().unwrap();
        let failure = Failure::new("mount", "no").on("/proc");
        here.send(&Message::Failed(failure.clone()), None).unwrap();
        here.send(&Message::Console, Some(here.as_fd())).unwrap();
        drop(here);
        let Some((Message::Failed(got), None)) = there.recv().unwrap() else { panic!("not a failure") };
        assert_eq!(got, failure);
        let Some((Message::Console, Some(fd))) = there.recv().unwrap() else { panic!("no descriptor") };
        drop(fd);
        assert!(there.recv().unwrap().is_none());
    }

    #[test]
    fn whoever_talks_to_nobody_learns_it() {
        let (here, there) = Dialogue::pair().unwrap();
        drop(there);
        assert!(here.send(&Message::Go, None).unwrap_err().is(rustix::io::Errno::PIPE));
    }
}
