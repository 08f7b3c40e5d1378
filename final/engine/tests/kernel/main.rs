//! The engine against the real kernel, as root: each test has an engine of its own, with its own roots, its own cgroup
//! directory and its own network namespace, and leaves nothing behind.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::zero_sized_map_values,
    reason = "clippy takes only #[test] functions for tests, and not what they share; the API writes sets as maps"
)]

mod attach;
mod crowd;
mod exec;
mod health;
mod life;
mod logs;
mod reconcile;
mod rig;
mod see;
