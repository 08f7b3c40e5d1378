//! # Chapter 5: volumes
//!
//! A container's own files end with it. What must outlive it, or come from outside, or be fast and forgotten, is
//! mounted into it: a directory of the host (bind), a named directory that the engine keeps (volume), memory (tmpfs), the
//! files of an image.
//!
//! All four are mounts inside the container's own mount namespace: the host's mount table never shows them, and they
//! end with the process. Only a volume's directory and its record stay.
//!
//! Read the files in this order:
//!
//! 1. `request.rs`: [`VolumeMount`], what is wanted, one value for every way to write it.
//! 2. `parse_volume.rs`, `parse_mount.rs`, `parse_tmpfs.rs`: the three ways: `-v`, `--mount`, `--tmpfs`. Pure.
//! 3. `store.rs`: [`Store`], where named volumes live; `record.rs` is [`Volume`], what is remembered of one.
//! 4. `driver.rs`: [`Driver`], who keeps volumes; `local_options.rs`: what the local one can be told.
//! 5. `attachment.rs`: a request and a store become an [`Attachment`], all that the container's maker needs to know.
//! 6. `propagation.rs`: which mounts of the host may travel.
//! 7. `image_files.rs`: [`attach_image`], an image's files beside the container's own.
//! 8. `copy_up.rs`: an empty volume begins with what the image has there; `copy_entry.rs` copies one file of any kind.
//! 9. `stage.rs`: [`VolumesStage`], the chapter's turn in the launch.

mod attachment;
mod copy_entry;
mod copy_up;
mod driver;
mod image_files;
mod local_options;
mod parse_mount;
mod parse_tmpfs;
mod parse_volume;
mod propagation;
mod record;
mod request;
mod stage;
mod store;

pub use attachment::{Attachment, Origin, attach, in_mount_order, root_propagation};
pub use copy_up::copy_directory;
pub use driver::{Driver, Local, Owner, Supply};
pub use image_files::attach_image;
pub use parse_mount::parse_mount;
pub use parse_tmpfs::{parse_tmpfs, parse_tmpfs_options};
pub use parse_volume::parse_volume;
pub use record::{NewVolume, Volume};
pub use request::{Bind, BindRecursion, ImageFiles, Kind, NamedVolume, Tmpfs, VolumeMount};
pub use stage::VolumesStage;
pub use store::{Store, validate_name};
