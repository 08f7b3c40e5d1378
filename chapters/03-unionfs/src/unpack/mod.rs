//! Unpacking a layer: a tar archive becomes a directory, whatever the archive tries.
//!
//! An archive is a list of orders from a stranger, carried out by root. A symbolic link followed by a file "through"
//! it, a hard link to something outside, a name with `..`: all of them were real ways out of other engines
//! (CVE-2014-6407, CVE-2014-9356, CVE-2021-32760). Here no name is checked. Each is looked up by [`Root`], which cannot
//! leave its directory, and then only descriptors are used.
//!
//! A layer is unpacked by [`apply_layer`]. `docker cp` unpacks by the same code into a container that may be running
//! ([`extract`]); there an archive is only files, and no name means that another one is gone.
//!
//! - `orders.rs`: what a member of the archive means in a layer. Pure: this is where whiteouts are understood.
//! - `tree.rs`: how it is done on disk.
//! - `attributes.rs`: owner, mode, extended attributes, time.

mod attributes;
mod orders;
mod tree;

use std::ffi::OsString;
use std::io::{BufReader, Read};
use std::path::PathBuf;

use namespaces::{Failure, Result, Root};

use crate::archive::Archive;
use orders::{Order, read_order};
use tree::Tree;

/// Members that one archive may have. A layer of a whole distribution has about 100 000.
const MEMBERS: u64 = 4_000_000;

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Members of the archive.
    pub members: u64,
    /// Bytes of its regular files together.
    pub size: u64,
}

/// How an archive of files is unpacked by [`extract`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extract {
    /// Where, from the root: a directory that exists. Links in it are followed inside the root.
    pub directory: PathBuf,
    /// Whose the files become.
    pub owner: Owner,
    /// Refuse to put a directory in the place of something else, and the reverse (docker's `noOverwriteDirNonDir`).
    pub keep_kinds: bool,
    /// Another name for the one file or directory that the archive is of: what every member's name begins with.
    pub rename: Option<OsString>,
}

/// Whose unpacked files become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// As the archive says, with all extended attributes.
    Archive,
    /// This user's and this group's.
    Fixed(u32, u32),
    /// Whoever unpacks: for a user who is not root. Only attributes that everybody may set (`user.`) are set.
    Ours,
}

/// What an archive may mean, and what is done about owners.
#[derive(Debug)]
struct Rules {
    /// In front of every name.
    base: PathBuf,
    /// Whether names that begin with `.wh.` are whiteouts.
    whiteouts: bool,
    /// Whether a whiteout takes away what is there, instead of being kept for the overlay.
    flatten: bool,
    owner: Owner,
    keep_kinds: bool,
    rename: Option<OsString>,
}

/// Unpacks the tar archive `reader` into the directory `root`, and reads it to its very end.
///
/// Whiteouts become what the overlay file system understands (OCI image specification, layer.md, "Whiteouts";
/// overlayfs.rst, "whiteouts and opaque directories"). On failure the directory has what had been unpacked so far; the
/// caller throws it away. A failure without an errno means that the archive is malformed.
pub fn apply_layer(reader: impl Read, root: &Root) -> Result<Stats> {
    carry_out(reader, root, &Rules::of_layer())
}

/// Unpacks the tar archive `reader` somewhere inside `root`, as files and nothing more: what was there and is in the
/// archive as well is replaced, directories are merged, and a `.wh.` name is a name. The directory itself is left as it is.
///
/// On failure what had been unpacked so far stays. A failure without an errno means that the archive is malformed, or that
/// it would change the kind of something ([`Extract::keep_kinds`]).
pub fn extract(reader: impl Read, root: &Root, wanted: &Extract) -> Result<Stats> {
    let base = wanted.directory.strip_prefix("/").unwrap_or(&wanted.directory).to_owned();
    let Extract { owner, keep_kinds, rename, .. } = wanted.clone();
    let rules = Rules { base, whiteouts: false, flatten: false, owner, keep_kinds, rename };
    carry_out(reader, root, &rules)
}

/// Three ways to unpack, then, by one piece of code: a layer that stays a layer, files that are files, and this one.
///
/// Unpacks a layer on top of what `root` has, so that the two become one tree: a whiteout takes away what is there. Without
/// an overlay file system this is how layers are put together (`copied.rs`).
pub(crate) fn flatten_layer(reader: impl Read, root: &Root) -> Result<Stats> {
    carry_out(reader, root, &Rules { flatten: true, ..Rules::of_layer() })
}

impl Rules {
    /// A layer as it is kept for overlays.
    fn of_layer() -> Self {
        let base = PathBuf::new();
        Self { base, whiteouts: true, flatten: false, owner: Owner::Archive, keep_kinds: false, rename: None }
    }
}

fn carry_out(reader: impl Read, root: &Root, rules: &Rules) -> Result<Stats> {
    let mut archive = Archive::new(BufReader::with_capacity(1 << 16, reader));
    let mut tree = Tree::new(root, rules);
    let mut stats = Stats::default();
    while let Some(member) = archive.next_member()? {
        stats.members += 1;
        if stats.members > MEMBERS {
            return Err(Failure::new("unpack the archive", format!("it has more than {MEMBERS} members")));
        }
        let order = read_order(&member, rules)?;
        if let Order::File { .. } = order {
            stats.size += member.size;
        }
        tree.carry_out(&order, &member, &mut archive).map_err(|failure| match failure.target {
            None => failure.on(shown(&member.name)),
            Some(_) => failure,
        })?;
    }
    tree.finish()?;
    archive.drain()?;
    Ok(stats)
}

/// A name for a message: a stranger's bytes must not command the reader's terminal.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}
