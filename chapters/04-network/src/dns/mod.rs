//! Names: how containers of a network find each other (RFC 1035).
//!
//! In every container of a network with names there is a server at 127.0.0.11, port 53, though no program of the container
//! serves it: its sockets were opened inside of the container's namespace, and it is the engine that holds them. A socket
//! belongs to its namespace, wherever its holder is.
//!
//! ```text
//!  container                        │ engine
//!  getaddrinfo("db") ──▶ 127.0.0.11:53 ──▶ answer ──▶ 172.18.0.3          a name of its networks
//!                                   │        │
//!                                   │        └──▶ the host's servers        any other name
//! ```
//!
//! A question and its answer are the same kind of packet, a *message*. The answer repeats the question and adds records:
//!
//! ```text
//! 0        2        4          6         8           10            12
//! ┌────────┬────────┬──────────┬─────────┬───────────┬─────────────┬──────────────────┬──────────────────────────┐
//! │ number │ flags  │ questions│ answers │ authority │ additional  │ name, type, class│ name, type, class, TTL,  │
//! │        │        │          │         │ records   │ records     │ of each question │ data of each record      │
//! └────────┴────────┴──────────┴─────────┴───────────┴─────────────┴──────────────────┴──────────────────────────┘
//! ```
//!
//! The number is the client's, by which it knows its answer. One of the flags says whether this is an answer, another that it
//! was cut short because it did not fit into a datagram; then the client asks again over TCP, where two bytes with the length
//! come before each message.
//!
//! - `names.rs`: who is called what, as one container sees it.
//! - `answer.rs`: from a packet to the packet that answers it, or to the decision to ask others.
//! - `listen.rs`, `redirect.rs`: the sockets, and the rule that leads port 53 to them.
//!
//! Asking others, and the loop that serves all sockets at once, are the engine's: they need time-outs, and it has a runtime
//! for that. The packets themselves are read and written by hickory-proto: a name in them may point to the rest of another
//! name, which is a famous way to make a reader loop, and no place for a reader of our own.

mod answer;
mod listen;
mod names;
mod redirect;

use std::net::Ipv4Addr;

pub use answer::{Answer, answer, failed, is_answer_to};
pub use listen::{Listening, listen};
pub use names::{Member, Names};

/// Where the server is, in every container: docker's address.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
