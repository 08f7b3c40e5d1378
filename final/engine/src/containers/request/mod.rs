//! From a request to create a container to what was asked, complete. Pure but for what `mounts.rs` looks up.
//!
//! 1. `conflicts.rs`: what the request itself contradicts.
//! 2. `merge.rs`: what the image says, where the request says nothing.
//! 3. `defaults.rs`: what docker says, where neither does.
//! 4. `check.rs`, `resources.rs`: what cannot be, refused before anything is made.
//! 5. `mounts.rs`: `-v`, `--mount`, `--tmpfs`, `--volumes-from` and the image's volumes become mounts in order;
//!    `mount.rs` reads one.

pub(crate) mod check;
pub(crate) mod conflicts;
pub(crate) mod defaults;
pub(crate) mod merge;
mod mount;
pub(crate) mod mounts;
pub(crate) mod resources;
