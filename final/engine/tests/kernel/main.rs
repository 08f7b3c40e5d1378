//! The engine against the real kernel, as root: each test has an engine of its own, with its own roots, its own cgroup
//! directory and its own network namespace, and leaves nothing behind.

mod attach;
mod exec;
mod life;
mod logs;
mod reconcile;
mod rig;
mod see;
