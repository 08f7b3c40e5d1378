//! Chapter 3 against the real kernel, as root: owners, devices, trusted attributes and mounts are real.
//!
//! - `archives.rs`: archives made byte by byte, so that they can say what no honest program writes.
//! - `unpack.rs`: honest and hostile archives, unpacked.
//! - `overlay.rs`: overlays, layer directories, changes.
//! - `pack.rs`: directories packed, and unpacked again.
//! - `same.rs`: random operations on layers and on a plain directory.
//! - `cp.rs`: what `docker cp` asks of packing and unpacking.
//! - `program.rs`: the chapter's binary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod archives;
mod cp;
mod overlay;
mod pack;
mod program;
mod same;
mod unpack;
