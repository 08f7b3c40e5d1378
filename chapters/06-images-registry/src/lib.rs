//! # Chapter 6: images and registries
//!
//! Where the layers come from.
//!
//! Read the files in this order:
//!
//! 1. `reference.rs`: [`Reference`], the name of an image.
//! 2. `config.rs`: [`ImageConfig`], what an image says about itself.
//! 3. `store.rs`: [`Store`], the images of one data directory.
//! 4. `registry/`: [`pull`], an image from a registry.
//! 5. `error.rs`: [`Error`], a failure that the engine can sort.

mod config;
mod error;
mod reference;
mod registry;
mod store;

pub use config::{Healthcheck, History, ImageConfig, RootFs, RunConfig};
pub use error::{Error, Kind, Result};
pub use reference::Reference;
pub use registry::{Credentials, RegistryOptions, pull};
pub use store::{Event, Image, Import, Progress, Removed, Store};
pub use unionfs::Digest;
