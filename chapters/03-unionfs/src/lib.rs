//! # Chapter 3: unionfs
//!
//! An image is a stack of read-only layers, and a container adds one writable layer on top. The overlay file system
//! shows the stack as one tree. This crate mounts it, keeps the layers on disk, and makes a layer of a tar archive.
//!
//! Read the files in this order:
//!
//! 1. `overlay.rs`: [`Overlay`] says which directories, [`OverlayStage`] mounts them for a container.
//! 2. `digest.rs`: [`Digest`], a name made from content, and the chain id that names a layer's directory.
//! 3. `layers.rs`: [`Layers`], the directory of unpacked layers, each whole or absent.
//! 4. `archive/`: [`Archive`], a tar archive read member by member.
//! 5. `unpack/`: [`apply_layer`], from an archive to a directory, whatever the archive tries.
//! 6. `changes.rs`: [`changes()`], what a container has changed.
//! 7. `pack/`: [`pack_layer`], from a directory to an archive, as `commit`, `export` and `cp` need it.
//! 8. `copied.rs`: what is done where the kernel refuses an overlay; `usage.rs`: [`usage()`], the space that a tree takes.

mod archive;
mod changes;
mod copied;
mod digest;
mod layers;
mod overlay;
mod pack;
mod unpack;
mod usage;

pub use archive::{Archive, Member, MemberKind, Segment, Writer};
pub use changes::{Change, ChangeKind, changes, show_upper};
pub use digest::{Digest, Hasher, Hashing, chain_id, chain_ids};
pub use layers::{Layer, Layers, Unfinished};
pub use overlay::{Overlay, OverlayStage, attach};
pub use pack::{Form, Packer, pack_layer};
pub use unpack::{Extract, Owner, Stats, apply_layer, extract};
pub use usage::{Usage, usage};
