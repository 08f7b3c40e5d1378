//! Hearing of it when somebody takes our table away.
//!
//! `nft flush ruleset` takes everybody's rules, and more than one firewall begins its own start or reload with it. From then
//! on published ports lead nowhere, and networks are no longer apart (CVE-2025-54388 was docker's form of it). The kernel
//! tells every change of nftables to whoever asks for the news; this asks, and looks for the end of one table.

use std::os::fd::{AsFd, BorrowedFd};

use namespaces::{Context as _, Result};
use netlink_packet_core::NetlinkBuffer;

use super::nftables;

/// The group of sockets that get news of nftables (`NFNLGRP_NFTABLES`, linux/netfilter/nfnetlink.h).
const NEWS: u32 = 7;
/// A piece of news is a few hundred bytes.
const RECEIVE: usize = 32 * 1024;

/// A socket on which the news arrives, in the network namespace of the thread that opened it. It does not wait: whoever has
/// it waits until its descriptor can be read.
#[derive(Debug)]
pub struct Watch {
    socket: netlink_sys::Socket,
    table: String,
    buffer: Vec<u8>,
}

impl Watch {
    /// Listens for the end of the table called `table`.
    pub fn open(table: &str) -> Result<Self> {
        let open = || {
            let mut socket = netlink_sys::Socket::new(libc::NETLINK_NETFILTER as isize)?;
            socket.bind_auto()?;
            socket.add_membership(NEWS)?;
            socket.set_non_blocking(true)?;
            Ok::<_, std::io::Error>(socket)
        };
        Ok(Self {
            socket: open().step("listen for changes of nftables")?,
            table: table.to_owned(),
            buffer: Vec::with_capacity(RECEIVE),
        })
    }

    /// Reads all the news there is. Whether the table has been taken away since the last time, or may have been: when news
    /// came faster than it was read, some of it is lost.
    pub fn is_gone(&mut self) -> bool {
        let mut gone = false;
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, libc::MSG_DONTWAIT) {
                Ok(_) => gone |= self.tells_the_end(),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => gone = true,
                Err(_) => return gone,
            }
        }
    }

    fn tells_the_end(&self) -> bool {
        let mut rest = self.buffer.as_slice();
        while let Ok(message) = NetlinkBuffer::new_checked(rest) {
            if nftables::is_end_of(message.message_type(), message.payload(), &self.table) {
                return true;
            }
            rest = rest.get((message.length() as usize).next_multiple_of(4)..).unwrap_or_default();
        }
        false
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
