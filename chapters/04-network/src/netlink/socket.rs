//! The socket: one batch out, every acknowledgement in.
//!
//! ```text
//! sendmsg  [ 1: address of eth0 ][ 2: lo up ][ 3: eth0 up ][ 4: default route ]
//! recvmsg  [ 1: 0 ]
//! recvmsg  [ 2: 0 ]
//! recvmsg  [ 3: 0 ]
//! recvmsg  [ 4: -ENETUNREACH, "Nexthop has invalid gateway" ]
//! ```
//!
//! Each message has a sequence number, by which its acknowledgement finds it. So a refusal can say *what* was refused: the
//! error of the example names `ip route add default via 10.1.2.3`, not "netlink error: network unreachable".

use std::fmt::Display;

use libc::{NETLINK_NETFILTER, NETLINK_ROUTE, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR};
use namespaces::{Context as _, Failure, Result};
use netlink_packet_core::{NetlinkBuffer, NlasIterator};
use netlink_sys::SocketAddr;
use rustix::io::Errno;

/// Length of `struct nlmsghdr` in bytes.
const HEADER: usize = 16;
/// The kernel fills at most this many bytes per `recvmsg` of a dump (`NLMSG_GOODSIZE` and its growth, netlink(7)).
const RECEIVE: usize = 32 * 1024;
/// Flag of an acknowledgement that carries attributes (`NLM_F_ACK_TLVS`, linux/netlink.h).
const ACK_ATTRIBUTES: u16 = 0x200;
/// The attribute with the kernel's sentence (`NLMSGERR_ATTR_MSG`).
const ACK_SENTENCE: u16 = 1;

/// A netlink socket. It belongs to the network namespace in which it was opened, wherever it is used from: a socket opened
/// inside a container's namespace configures that namespace from any thread.
pub struct Socket {
    inner: netlink_sys::Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// One message of a batch.
pub struct Message<'a> {
    /// `RTM_NEWLINK`, or a netfilter subsystem and its message.
    pub kind: u16,
    /// Flags besides `NLM_F_REQUEST`: `NLM_F_ACK` where an answer is wanted, `NLM_F_CREATE`, …
    pub flags: u16,
    /// The fixed part and the attributes.
    pub body: Vec<u8>,
    /// What it does, for the error that says it was refused.
    pub about: &'a dyn Display,
}

impl Socket {
    /// A socket for links, addresses and routes (rtnetlink(7)) of the calling thread's namespace.
    pub fn route() -> Result<Self> {
        Self::open(NETLINK_ROUTE)
    }

    /// A socket for packet filters (nfnetlink) of the calling thread's namespace.
    pub fn netfilter() -> Result<Self> {
        Self::open(NETLINK_NETFILTER)
    }

    /// Opens the socket. It is never bound: the kernel gives it an address when it first sends.
    fn open(protocol: i32) -> Result<Self> {
        let open = || {
            let socket = netlink_sys::Socket::new(protocol as isize)?;
            // Sentences in refusals, and acknowledgements that do not repeat the message they refuse.
            socket.set_ext_ack(true)?;
            socket.set_cap_ack(true)?;
            Ok::<_, std::io::Error>(socket)
        };
        Ok(Self { inner: open().step("open a netlink socket")?, sequence: 0, buffer: Vec::with_capacity(RECEIVE) })
    }

    // ANCHOR: send
    /// Sends all messages in one `sendmsg` and reads the acknowledgements of those that ask for one.
    ///
    /// # Errors
    /// The first refusal, which names its message. rtnetlink has then done what came before and after it; an nftables batch
    /// has done nothing.
    pub fn send(&mut self, messages: &[Message<'_>]) -> Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let first = self.sequence.wrapping_add(1);
        let mut bytes = Vec::with_capacity(messages.iter().map(|message| message.body.len() + HEADER + 3).sum());
        for message in messages {
            self.sequence = self.sequence.wrapping_add(1);
            put(&mut bytes, message.kind, message.flags, self.sequence, &message.body);
        }
        self.transmit(&bytes)?;
        let mut missing = messages.iter().filter(|message| message.flags & NLM_F_ACK as u16 != 0).count();
        let mut refusal = None;
        while missing > 0 && self.receive()? {
            for answer in Answers::new(&self.buffer) {
                let Some(message) = messages.get(answer.sequence.wrapping_sub(first) as usize) else { continue };
                missing -= usize::from(message.flags & NLM_F_ACK as u16 != 0).min(missing);
                if let Some(refused) = answer.refusal() {
                    refusal.get_or_insert_with(|| refused.on(message.about));
                }
            }
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None if missing > 0 => Err(Failure::new("configure the network", "the kernel did not answer a message")),
            None => Ok(()),
        }
    }
    // ANCHOR_END: send

    /// Asks for one thing. `Ok(None)` when there is no such thing. `about` names it for the error.
    pub fn get(&mut self, kind: u16, body: &[u8], about: &dyn Display) -> Result<Option<Vec<u8>>> {
        match self.ask(kind, 0, body, about) {
            Ok(answers) => Ok(answers.into_iter().next()),
            Err(failure) if failure.is(Errno::NODEV) || failure.is(Errno::NOENT) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Asks for all things of a kind (`NLM_F_DUMP`).
    pub fn dump(&mut self, kind: u16, body: &[u8], about: &dyn Display) -> Result<Vec<Vec<u8>>> {
        self.ask(kind, NLM_F_DUMP as u16, body, about)
    }

    /// Sends one question and collects the answers to it: one, or all until the message that ends a dump.
    fn ask(&mut self, kind: u16, flags: u16, body: &[u8], about: &dyn Display) -> Result<Vec<Vec<u8>>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::with_capacity(HEADER + body.len());
        put(&mut bytes, kind, flags, self.sequence, body);
        self.transmit(&bytes)?;
        let mut found = Vec::new();
        while self.receive()? {
            for answer in Answers::new(&self.buffer).filter(|answer| answer.sequence == self.sequence) {
                if let Some(refused) = answer.refusal() {
                    return Err(Failure { step: "read from the kernel".to_owned(), ..refused.on(about) });
                }
                if i32::from(answer.kind) == NLMSG_DONE {
                    return Ok(found);
                }
                found.push(answer.payload.to_vec());
            }
        }
        Ok(found)
    }

    /// Sends bytes to the kernel, which has port number 0. When this returns, the kernel has acted.
    fn transmit(&self, bytes: &[u8]) -> Result<()> {
        let kernel = SocketAddr::new(0, 0);
        self.inner.send_to(bytes, &kernel, 0).map(drop).step("send to the kernel by netlink")
    }

    /// Reads the next answers into the buffer. `false` when there are none: the kernel has queued all of them (of a dump:
    /// the next part) before it returns from `sendmsg` or the previous read, so there is never anything to wait for.
    fn receive(&mut self) -> Result<bool> {
        self.buffer.clear();
        match self.inner.recv(&mut self.buffer, libc::MSG_DONTWAIT) {
            Ok(length) => Ok(length > 0),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error).step("read the kernel's netlink answer"),
        }
    }
}

/// Appends one message, padded to four bytes. The header's last field is the sender's port number, which the kernel knows.
fn put(bytes: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32, body: &[u8]) {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&(flags | NLM_F_REQUEST as u16).to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// One message of the kernel.
struct Answer<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    payload: &'a [u8],
}

impl Answer<'_> {
    /// The refusal, when this is a negative acknowledgement: the errno and the kernel's sentence where it has one.
    fn refusal(&self) -> Option<Failure> {
        let kind = i32::from(self.kind);
        let code = i32::from_ne_bytes(self.payload.first_chunk().copied()?);
        if !(kind == NLMSG_ERROR || kind == NLMSG_DONE) || code >= 0 {
            return None;
        }
        let errno = Errno::from_raw_os_error(-code);
        let mut failure = Err::<(), _>(errno).step("apply").err()?;
        if let Some(sentence) = self.sentence() {
            failure.cause = Some(format!("{} ({sentence})", failure.cause.unwrap_or_default()));
        }
        Some(failure)
    }

    /// The kernel's own words, such as "Nexthop has invalid gateway" (`NETLINK_EXT_ACK`).
    fn sentence(&self) -> Option<String> {
        if self.flags & ACK_ATTRIBUTES == 0 {
            return None;
        }
        // The errno (4 bytes) and the header of the refused message come first.
        let attributes = self.payload.get(4 + HEADER..)?;
        let found = NlasIterator::new(attributes).flatten().find(|nla| nla.kind() == ACK_SENTENCE)?;
        Some(String::from_utf8_lossy(found.value()).trim_end_matches('\0').to_owned())
    }
}

/// Splits what one read gave into messages.
struct Answers<'a> {
    /// What has not been split off yet.
    rest: &'a [u8],
}

impl<'a> Answers<'a> {
    fn new(buffer: &'a [u8]) -> Self {
        Self { rest: buffer }
    }
}

impl<'a> Iterator for Answers<'a> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        let message = NetlinkBuffer::new_checked(self.rest).ok()?;
        let length = message.length() as usize;
        let answer = Answer {
            kind: message.message_type(),
            flags: message.flags(),
            sequence: message.sequence_number(),
            payload: self.rest.get(HEADER..length)?,
        };
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(answer)
    }
}
