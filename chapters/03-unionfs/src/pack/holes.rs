//! Where a sparse file has its data: `lseek(2)` with `SEEK_DATA` and `SEEK_HOLE`.
//!
//! A virtual machine's disk, a log of last logins, a file made by `truncate -s 1T`: each may say that it is as large as
//! it likes and occupy a few blocks. Packed with its zeros it would fill the disk of whoever unpacks it.

use std::fs::File;

use namespaces::{Context, Result};
use rustix::fs::{SeekFrom, Stat, seek};
use rustix::io::Errno;

use crate::archive::Segment;

/// With more pieces than this, the map would be larger than what it saves.
const PIECES: usize = 16_384;

/// The pieces of `file` that have data, in order; `None` when it has no holes that are worth the trouble. The offset is at
/// the beginning again afterwards.
pub(super) fn segments(file: &File, stat: &Stat) -> Result<Option<Vec<Segment>>> {
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    // st_blocks counts units of 512 bytes (stat(3type)). A file without holes takes no further call.
    if u64::try_from(stat.st_blocks).unwrap_or_default().saturating_mul(512) >= size {
        return Ok(None);
    }
    let mut found = Vec::new();
    let mut end = 0;
    while end < size && found.len() <= PIECES {
        let offset = match seek(file, SeekFrom::Data(end)) {
            // Nothing but a hole from here to the end.
            Err(Errno::NXIO) => break,
            // The file system does not know.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(None),
            offset => offset.step("look for the data of")?,
        };
        end = seek(file, SeekFrom::Hole(offset)).step("look for the holes of")?.min(size);
        if offset < end {
            found.push(Segment { offset, length: end - offset });
        }
    }
    seek(file, SeekFrom::Start(0)).step("go to the beginning of")?;
    let data: u64 = found.iter().map(|segment| segment.length).sum();
    Ok((data < size && found.len() <= PIECES).then_some(found))
}
