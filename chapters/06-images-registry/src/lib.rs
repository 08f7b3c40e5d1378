//! # Chapter 6: images and registries
//!
//! Where the layers come from. An image is a configuration and a stack of layers, all named by their content. This
//! crate gives images their names, keeps them on disk in a format that other tools can read, takes them out of
//! archives, and fetches them from registries.
//!
//! Read the files in this order:
//!
//! 1. `reference.rs`: [`Reference`], the name of an image.
//! 2. `config.rs`, `manifest.rs`: the documents that an image consists of; `platform.rs`: for which machines; `image.rs`:
//!    [`Image`], what we make of them.
//! 3. `error.rs`: [`Error`], a failure that the engine can sort.
//! 4. `store.rs`: [`Store`], the images of one data directory; `blobs.rs` and `index.rs` are its two halves on disk.
//! 5. `compression.rs`, `unpack.rs`: how a layer arrives, in one pass.
//! 6. `load.rs`, `oldest.rs`, `admit.rs`: images from an archive; `import.rs` and `changes.rs`: an image from a bare file system;
//!    `save.rs`: the way back.
//! 7. `remove.rs`: names, images and layers go; `check.rs`: whether what is here is what it says.
//! 8. `registry/`: [`pull`], an image from a registry, and [`push`], the way back.
//! 9. `meter.rs`, `parallel.rs`: progress, and a few threads at a time.

mod admit;
mod blobs;
mod changes;
mod check;
mod compression;
mod config;
mod error;
mod image;
mod import;
mod index;
mod load;
pub mod manifest;
mod meter;
mod oldest;
mod parallel;
mod platform;
mod reference;
mod registry;
mod remove;
mod save;
mod store;
mod unpack;

pub use blobs::Blobs;
pub use changes::apply_changes;
pub use check::Checked;
pub use compression::{Compression, decompress};
pub use config::{Healthcheck, History, ImageConfig, RootFs, RunConfig};
pub use error::{Error, Kind, Result};
pub use image::{Event, Image, Import, Progress, Removed, User};
pub use platform::Platform;
pub use reference::Reference;
pub use registry::{
    Credentials, RegistryOptions, Remote, find_or_pull, login, look_up, pull, pull_for, push, registry_of, tags,
};
pub use remove::Swept;
pub use store::Store;
pub use unionfs::Digest;
