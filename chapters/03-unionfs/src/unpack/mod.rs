//! Unpacking a layer: a tar archive becomes a directory.

use std::io::Read;

use namespaces::{Result, Root};

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries of the archive.
    pub entries: u64,
    /// Bytes of its regular files together.
    pub size: u64,
}

/// Unpacks the tar archive `reader` into the directory `root`, and reads it to its very end.
pub fn apply_layer(reader: impl Read, root: &Root) -> Result<Stats> {
    let _ = (reader, root);
    todo!()
}
