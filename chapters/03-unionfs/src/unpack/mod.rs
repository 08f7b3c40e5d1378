//! Unpacking a layer: a tar archive becomes a directory, whatever the archive tries.
//!
//! An archive is a list of orders from a stranger, carried out by root. A symbolic link followed by a file "through"
//! it, a hard link to something outside, a name with `..`: all of them were real ways out of other engines
//! (CVE-2014-6407, CVE-2014-9356, CVE-2021-32760). Here no name is checked. Each is looked up by [`Root`], which cannot
//! leave its directory, and then only descriptors are used.
//!
//! - `orders.rs`: what a member of the archive means in a layer. Pure: this is where whiteouts are understood.
//! - `tree.rs`: how it is done on disk.
//! - `attributes.rs`: owner, mode, extended attributes, time.

mod attributes;
mod orders;
mod tree;

use std::io::{BufReader, Read};

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

/// Unpacks the tar archive `reader` into the directory `root`, and reads it to its very end.
///
/// Whiteouts become what the overlay file system understands (OCI image specification, layer.md, "Whiteouts";
/// overlayfs.rst, "whiteouts and opaque directories"). On failure the directory has what had been unpacked so far; the
/// caller throws it away. A failure without an errno means that the archive is malformed.
pub fn apply_layer(reader: impl Read, root: &Root) -> Result<Stats> {
    let mut archive = Archive::new(BufReader::with_capacity(1 << 16, reader));
    let mut tree = Tree::new(root);
    let mut stats = Stats::default();
    while let Some(member) = archive.next_member()? {
        stats.members += 1;
        if stats.members > MEMBERS {
            return Err(Failure::new("unpack the archive", format!("it has more than {MEMBERS} members")));
        }
        let order = read_order(&member)?;
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
