//! # The test bench
//!
//! End-to-end tests drive the release binaries as a user would, against the real kernel, and prove that nothing is left.
//!
//! 1. `daemon.rs`: a `skiffd` of the test's own: its own roots, socket and network namespace.
//! 2. `residue.rs`: what is on the machine before and after, and the difference.
//! 3. `parts.rs`: the binaries, the fixtures, the real clients and peers.
//! 4. `bundle.rs`: a container of `skiff-runtime` alone, for what is hostile in an image.
//! 5. `dockerd.rs`: a real dockerd, for recording what ours is compared with.
//! 6. `run.rs`: one command, what it printed, how it ended.
//!
//! The tests themselves are in `tests/`, one file per subject. They take a machine-wide lock, one daemon at a time, because
//! the residue check compares the whole machine.

#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc, reason = "a test bench fails by panicking")]

mod bundle;
mod daemon;
mod dockerd;
mod parts;
mod residue;
mod run;

pub use bundle::Bundle;
pub use daemon::Daemon;
pub use dockerd::Dockerd;
pub use parts::{Registry, binary, busybox_tar, debian_tar};
pub use residue::Residue;
pub use run::{Ran, run};
