//! Netlink: how the kernel is told about links, addresses, routes and packet filters (netlink(7), rtnetlink(7)).
//!
//! A netlink socket carries messages, each a 16 byte header, a fixed part, and attributes. The kernel acts while `sendmsg`
//! runs, and answers each message that asks for it with an acknowledgement: 0, or an errno and often a sentence. Many
//! messages fit in one `sendmsg`: that is what makes attaching a container cheap.
//!
//! ```text
//! 0        4     6      8        12       16
//! ┌────────┬─────┬──────┬────────┬────────┬───────────────┬──────────────────────────┐
//! │ length │ kind│ flags│sequence│ 0      │ fixed part    │ attributes               │
//! └────────┴─────┴──────┴────────┴────────┴───────────────┴──────────────────────────┘
//!   struct nlmsghdr                         ifinfomsg,      length, type, value, filled
//!                                           ifaddrmsg, …    up to 4 bytes; may be nested
//! ```
//!
//! There is no library for the conversation here, only for the fixed parts and attributes of rtnetlink. A library hides the
//! two things that matter for a container engine: that a socket belongs to a *namespace* and not to a thread, so that one
//! that was opened inside configures the inside from anywhere; and which messages travel together.
//!
//! - `socket.rs`: send a batch, read every acknowledgement, say which message was refused.
//! - `attributes.rs`: how the body of a message is written.
//! - `operation.rs`: what we tell the kernel, as values that print as the ip(8) command that would do the same.
//! - `encode.rs`: those values as rtnetlink messages.
//! - `read.rs`: what the kernel says of links, addresses and routes.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "libc has the constants of netlink's 8 and 16 bit fields as int"
)]

mod attributes;
mod encode;
mod operation;
mod read;
mod socket;

pub(crate) use attributes::Attributes;
pub use encode::apply;
pub use operation::Operation;
pub use read::{Link, Route, addresses, host_subnets, index, link, links, routes};
pub use socket::{Message, Socket};
