//! Chapter 6 with real files, real archives and real registries, as root.
//!
//! - `fixture.rs`: small images, and a data directory of its own for each test.
//! - `layout.rs`: the store itself: names, removal, crashes, two processes, a full disk.
//! - `archives.rs`: load, import, save; skopeo as the judge.
//! - `registry.rs`: pull from docker-registry; `kinds.rs`: what is for other machines, no image, or very old.
//! - `fuzz.rs`: archives, manifests and references, damaged at random.
//! - `program.rs`: the chapter's binary.
//! - `fake.rs`, `stranger.rs`: pull from a registry that misbehaves; `faults.rs`: over a line that breaks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod archives;
mod fake;
mod faults;
mod fixture;
mod fuzz;
mod kinds;
mod layout;
mod program;
mod registry;
mod stranger;
