//! # skiff-runtime: the program that makes and watches one container
//!
//! 1. `plan.rs`: what is wanted, complete, as one value: [`Plan`].
//! 2. `protocol.rs`: what daemon and monitor say to each other.
//! 3. `channel.rs`: how they say it: one datagram a message, descriptors beside it.

mod channel;
pub mod plan;
pub mod protocol;

pub use channel::{Channel, MAX_FDS, Received, SOCKET};
pub use plan::{ExecPlan, Plan};
