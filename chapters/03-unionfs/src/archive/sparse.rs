//! Files with holes. The archive has only their data, and a map that says where each piece belongs.
//!
//! There are four ways to write the map: GNU tar's old one in blocks after the header (type flag `S`), and three in
//! extended headers (versions 0.0 and 0.1 as records, 1.0 as text in front of the data).
//!
//! | version | the map is                                                     | the name is in      |
//! |---------|----------------------------------------------------------------|---------------------|
//! | old     | four pieces in the header, 21 in each block after it           | the header          |
//! | 0.0     | records `GNU.sparse.offset` and `GNU.sparse.numbytes` in turn  | the header          |
//! | 0.1     | one record `GNU.sparse.map` with all numbers                   | `GNU.sparse.name`   |
//! | 1.0     | lines of decimal numbers in front of the data                  | `GNU.sparse.name`   |
//!
//! All four say the same: at which offsets of the file the archived data belongs. (GNU tar manual, "Storing Sparse
//! Files".)

use std::io::Read;

use namespaces::{Context, Result};

use super::header::{Header, number};
use super::pax::Extended;
use super::{Archive, BLOCK, broken, cut_off};

/// A piece of a sparse file: `length` bytes of data belong at `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where in the file.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// The most pieces of one file. A map without a limit is a way to fill the memory (CVE-2025-58183).
const SEGMENTS: usize = 65_536;

impl<R: Read> Archive<R> {
    /// GNU's old map: four pieces in the header, then 21 in each block that follows. Also the size of the whole file.
    pub(super) fn old_sparse_map(&mut self, header: &Header, budget: &mut u64) -> Result<(Vec<Segment>, u64)> {
        let mut segments = Vec::new();
        pieces(header.field(386, 4 * 24), &mut segments)?;
        let mut more = header.field(482, 1) != [0];
        while more {
            *budget = budget.checked_sub(BLOCK as u64).ok_or_else(too_many)?;
            let block = self.block()?.ok_or_else(cut_off)?;
            pieces(block.get(..21 * 24).unwrap_or_default(), &mut segments)?;
            more = block.get(504).is_some_and(|flag| *flag != 0);
        }
        Ok((segments, header.unsigned(483, 12)?))
    }

    /// The map of an extended header, when it has one.
    pub(super) fn pax_sparse_map(&mut self, extended: &Extended) -> Result<Option<Vec<Segment>>> {
        let numbers = match extended.sparse_version {
            (0, _) if extended.sparse_map.is_empty() => return Ok(None),
            (0, _) => extended.sparse_map.clone(),
            (1, 0) => self.map_before_data()?,
            (major, minor) => return Err(broken(format!("unknown format {major}.{minor} of a sparse file"))),
        };
        if numbers.len() > 2 * SEGMENTS {
            return Err(too_many());
        }
        let segment = |pair: &[u64]| match pair {
            [offset, length] => Ok(Segment { offset: *offset, length: *length }),
            _ => Err(broken("the map of a sparse file is incomplete")),
        };
        numbers.chunks(2).map(segment).collect::<Result<_>>().map(Some)
    }

    /// Format 1.0: decimal numbers, each on a line, the first one being the number of pieces; padded to whole blocks.
    fn map_before_data(&mut self) -> Result<Vec<u64>> {
        let (mut text, mut numbers) = (Vec::new(), Vec::new());
        let mut wanted = 1;
        while numbers.len() < wanted {
            let mut block = [0; BLOCK];
            self.read_exact(&mut block).step("read the map of a sparse file")?;
            for byte in block {
                match byte {
                    _ if numbers.len() == wanted => break,
                    b'\n' => {
                        let line = std::str::from_utf8(&text).ok().and_then(|line| line.parse().ok());
                        let value: u64 =
                            line.ok_or_else(|| broken("the map of a sparse file has a number that is none"))?;
                        if numbers.is_empty() {
                            let pieces = usize::try_from(value).unwrap_or(usize::MAX);
                            wanted = pieces.checked_mul(2).filter(|_| pieces <= SEGMENTS).ok_or_else(too_many)? + 1;
                        }
                        numbers.push(value);
                        text.clear();
                    }
                    digit if text.len() < 20 => text.push(digit),
                    _ => return Err(broken("the map of a sparse file has a number that is none")),
                }
            }
        }
        Ok(numbers.split_off(1))
    }
}

/// The pieces must be in order, inside the file, and as long together as the data.
/// Anything else would be a way to write a file that is not what its size says, or to read beyond the member's data.
/// `stored` is the number of bytes that the archive has for it.
pub(super) fn check(segments: &[Segment], size: u64, stored: u64) -> Result<()> {
    let (mut end, mut total) = (0, 0u64);
    for segment in segments {
        let next = segment.offset.checked_add(segment.length);
        match next {
            Some(next) if segment.offset >= end && next <= size => end = next,
            _ => return Err(broken("the map of a sparse file is out of order")),
        }
        total += segment.length;
    }
    if total == stored { Ok(()) } else { Err(broken("the map of a sparse file does not fit its data")) }
}

/// Pieces of the old map: 12 bytes of offset, 12 of length, in octal. The first that is empty ends the list.
fn pieces(fields: &[u8], segments: &mut Vec<Segment>) -> Result<()> {
    for field in fields.chunks_exact(24) {
        let (offset, length) = field.split_at(12);
        if offset.first() == Some(&0) {
            break;
        }
        let value = |field| number(field).and_then(|value| u64::try_from(value).ok());
        let piece = value(offset).zip(value(length)).map(|(offset, length)| Segment { offset, length });
        segments.push(piece.ok_or_else(|| broken("the map of a sparse file has a number that is none"))?);
    }
    Ok(())
}

/// A map beyond [`SEGMENTS`] is refused, whichever way it is written.
fn too_many() -> namespaces::Failure {
    broken(format!("a sparse file has more than {SEGMENTS} pieces"))
}
