//! The channel: one message and its descriptors at a time over a `SOCK_SEQPACKET` socket (unix(7)).
//!
//! Both sides use this file, so there is one place that knows how a message looks: JSON, in one datagram. A plan can be
//! larger than a datagram; its JSON then travels as a memory file (memfd_create(2)), announced by a datagram of
//! one byte, and is the first descriptor. The calls block, unless the descriptor was made non-blocking: then they fail
//! with `EAGAIN` (`failure.is(Errno::AGAIN)`), and nothing was sent or received.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

use namespaces::{Context, Failure, Result};
use rustix::fs::{MemfdFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The most descriptors beside one message.
pub const MAX_FDS: usize = 32;

/// A longer message travels as a memory file. A datagram must fit the socket's send buffer (net.core.wmem_default, 208 KiB
/// on an untouched kernel).
const MAX_DATAGRAM: usize = 128 * 1024;

/// The longest message that is accepted, whichever way it travels: a plan of the longest command line the kernel takes
/// (2 MiB of arguments and environment), escaped as JSON, with room to spare.
const MAX_MESSAGE: u64 = 16 * 1024 * 1024;

/// The datagram that says: the message is in the first descriptor.
const IN_MEMFD: &[u8] = b"M";

/// The name of a monitor's socket in its run directory.
pub const SOCKET: &str = "monitor.sock";

/// One end of a conversation.
#[derive(Debug)]
pub struct Channel {
    fd: OwnedFd,
}

/// One message with what came beside it.
#[derive(Debug)]
pub struct Received<T> {
    /// The message.
    pub message: T,
    /// The descriptors, in the order in which they were sent, close-on-exec.
    pub fds: Vec<OwnedFd>,
}

impl Channel {
    /// Two connected ends, close-on-exec. The daemon gives one to the monitor as its standard input.
    pub fn pair() -> Result<(Self, Self)> {
        let (a, b) = rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .step("make a pair of sockets")?;
        Ok((Self { fd: a }, Self { fd: b }))
    }

    /// Connects to the monitor whose run directory ([`crate::Plan::run`]) is `run`. `ENOENT` and `ECONNREFUSED` mean that
    /// there is no monitor any more.
    pub fn connect(run: &Path) -> Result<Self> {
        let socket = run.join(SOCKET);
        let fd = seqpacket()?;
        let (_directory, address) = address_in(run)?;
        rustix::net::connect(&fd, &address).during("connect to the monitor at", socket.display())?;
        Ok(Self { fd })
    }

    /// Binds and listens on `monitor.sock` in `run`, in place of what an earlier monitor may have left there. What
    /// [`Self::accept`] takes.
    pub fn listen(run: &Path) -> Result<OwnedFd> {
        let socket = run.join(SOCKET);
        let fd = seqpacket()?;
        let (directory, address) = address_in(run)?;
        match rustix::fs::unlinkat(&directory, SOCKET, rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            other => other.during("remove", socket.display())?,
        }
        rustix::net::bind(&fd, &address).during("bind", socket.display())?;
        rustix::net::listen(&fd, 16).during("listen on", socket.display())?;
        Ok(fd)
    }

    /// Takes the next connection; the new channel does not block.
    pub fn accept(listener: BorrowedFd<'_>) -> Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        Ok(Self { fd: rustix::net::accept_with(listener, flags).step("accept a connection")? })
    }

    /// Another handle on the same end.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(Self { fd: self.fd.try_clone().step("copy the channel")? })
    }

    /// Makes every later call fail with `EAGAIN` instead of waiting.
    pub fn set_nonblocking(&self) -> Result<()> {
        rustix::io::ioctl_fionbio(&self.fd, true).step("make the channel non-blocking")
    }

    /// Sends one message, whole or not at all. `EPIPE` when the other end is gone.
    pub fn send<T: Serialize>(&self, message: &T, fds: &[BorrowedFd<'_>]) -> Result<()> {
        let text = serde_json::to_vec(message).step("write a message as JSON")?;
        if text.len() <= MAX_DATAGRAM {
            return self.send_datagram(&text, fds);
        }
        let memory = memory_file(&text)?;
        let mut all = vec![memory.as_fd()];
        all.extend_from_slice(fds);
        self.send_datagram(IN_MEMFD, &all)
    }

    /// Receives one message. `Ok(None)` when the other end is gone.
    pub fn receive<T: DeserializeOwned>(&self) -> Result<Option<Received<T>>> {
        let Some((datagram, mut fds)) = self.receive_datagram()? else { return Ok(None) };
        let message = if datagram == IN_MEMFD {
            if fds.is_empty() {
                return Err(Failure::new("receive a message", "it names a memory file and none came along"));
            }
            let text = read_file(&fds.remove(0))?;
            serde_json::from_slice(&text)
        } else {
            serde_json::from_slice(&datagram)
        };
        Ok(Some(Received { message: message.step("understand a message")?, fds }))
    }

    fn send_datagram(&self, datagram: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(Failure::new("send a message", format!("{} descriptors, {MAX_FDS} at most", fds.len())));
        }
        rustix::net::sendmsg(&self.fd, &[IoSlice::new(datagram)], &mut control, SendFlags::NOSIGNAL)
            .step("send a message")?;
        Ok(())
    }

    /// A datagram's length is asked first, so that a monitor holds no buffer for the longest one.
    fn receive_datagram(&self) -> Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
        let ask = || rustix::net::recv(&self.fd, &mut [0_u8; 1][..], RecvFlags::PEEK | RecvFlags::TRUNC);
        let length = match ask() {
            // The other end has closed without reading all. That is told once, and before what it had said itself.
            Err(Errno::CONNRESET) => ask(),
            length => length,
        };
        let (_, length) = length.step("receive a message")?;
        if length == 0 {
            return Ok(None);
        }
        let mut datagram = vec![0; length];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut datagram)];
        let received = rustix::net::recvmsg(&self.fd, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
            .step("receive a message")?;
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Failure::new("receive a message", "its descriptors did not fit")
                .hint("Raise the limit of open files (ulimit -n)."));
        }
        let fds = control.drain().filter_map(rights).flatten().collect();
        datagram.truncate(received.bytes);
        Ok(Some((datagram, fds)))
    }
}

impl From<OwnedFd> for Channel {
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

impl From<Channel> for OwnedFd {
    fn from(channel: Channel) -> Self {
        channel.fd
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Channel {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

fn rights(message: RecvAncillaryMessage<'_>) -> Option<rustix::net::AncillaryIter<'_, OwnedFd>> {
    match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    }
}

fn seqpacket() -> Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .step("make a socket")
}

/// The address of the socket in `run`, which is valid as long as the descriptor beside it is open. An address has room for
/// 107 bytes (unix(7)), less than `--exec-root` and an id of 64 digits can need; through the descriptor it is always short.
fn address_in(run: &Path) -> Result<(OwnedFd, SocketAddrUnix)> {
    let directory = rustix::fs::open(run, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .during("open", run.display())?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd());
    let address = SocketAddrUnix::new(path).during("name", run.join(SOCKET).display())?;
    Ok((directory, address))
}

fn memory_file(text: &[u8]) -> Result<OwnedFd> {
    let fd = rustix::fs::memfd_create("message", MemfdFlags::CLOEXEC).step("make a memory file")?;
    let mut rest = text;
    let mut offset = 0;
    while !rest.is_empty() {
        let written = rustix::io::pwrite(&fd, rest, offset).step("write to a memory file")?;
        rest = rest.get(written..).unwrap_or_default();
        offset += written as u64;
    }
    Ok(fd)
}

fn read_file(fd: &OwnedFd) -> Result<Vec<u8>> {
    let length = u64::try_from(rustix::fs::fstat(fd).step("measure a memory file")?.st_size).unwrap_or(u64::MAX);
    if length > MAX_MESSAGE {
        return Err(Failure::new("receive a message", format!("{length} bytes, {MAX_MESSAGE} at most")));
    }
    let mut text = vec![0; usize::try_from(length).unwrap_or_default()];
    let mut filled = 0;
    while let Some(rest) = text.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::pread(fd, rest, filled as u64).step("read a memory file")? {
            0 => break,
            read => filled += read,
        }
    }
    text.truncate(filled);
    Ok(text)
}
