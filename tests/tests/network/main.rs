//! Networks from end to end: what people do with `docker network`, and who reaches whom with real traffic.
//!
//! - `bench.rs`: the host with a wire to a machine outside, and sockets in anybody's namespace.
//! - `live.rs`: networks of containers that run; `names.rs`: how they find each other; `reach.rs`: the table of who reaches whom.
//! - `security.rs`: what others got wrong; `hostile.rs`: packets and connections that mean harm; `kill.rs`: an engine that is killed
//!   meanwhile; `crowd.rs`: many containers at once.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bench;
mod crowd;
mod hostile;
mod kill;
mod live;
mod names;
mod reach;
mod security;
