//! # The engine
//!
//! Containers, images, networks and volumes as a library: what `skiffd` serves over HTTP, without the HTTP. Values in and
//! out are those of the Docker Engine API, version 1.51 (`bollard_stubs::models`), so that the daemon above only
//! translates verbs and status codes.
//!
//! Read the files in this order:
//!
//! 1. `config.rs`: where state is kept, and the few things that differ between two daemons side by side.
//! 2. `error.rs`: what went wrong, in docker's words, and the HTTP status that says the same.
//! 3. `record.rs`: how a record is written so that a half-written one cannot exist.
//! 4. `events.rs`: what happened, for everybody who listens; `filters.rs`: `--filter name=value` for every list.
//! 5. `engine.rs`: [`Engine`], which opens the parts below in the order in which they need each other.
//!    `reload.rs`: what may change while it runs.
//! 6. `images/`, `networks/`, `volumes.rs`: the chapters 6, 4 and 5 behind docker's nouns.
//! 7. `containers/`: the heart. It has a reading order of its own in `containers/mod.rs`.
//! 8. `uses.rs`: who uses what, for those who remove; `system.rs`, `hello.rs`: `version`, `info`, and the image that is
//!    always there; `sys.rs`: readiness of descriptors, the only `unsafe`.

pub mod config;
pub mod containers;
pub mod engine;
pub mod error;
pub mod events;
pub mod filters;
pub mod hello;
pub mod images;
pub mod networks;
pub mod record;
pub mod reload;
mod sys;
pub mod system;
mod uses;
pub mod volumes;

pub use bollard_stubs::models;
pub use config::Config;
pub use containers::Containers;
pub use engine::Engine;
pub use error::{Error, Kind, Result};
pub use events::Events;
pub use filters::Filters;
pub use network::AddressPool;
pub use reload::Live;

/// The example of the README is compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
