//! Writing a tar archive: the way back from [`Member`] to blocks.
//!
//! What has room in the 512 bytes of a header goes there, so that any program can read it. What has none (a long name, an
//! extended attribute, a nanosecond, a size beyond 8 GiB) becomes a record of an extended header in front of the member
//! (pax(1), "pax Extended Header"). Nothing else is written: no names of users, no time of packing, no numbers of inodes.
//!
//! | what | in the header | beyond it |
//! |---|---|---|
//! | name, link name | 100 bytes | `path`, `linkpath` |
//! | owner, group | 2097151 | `uid`, `gid` |
//! | size | 8 GiB | `size` |
//! | time | whole seconds from 1970 to 2242 | `mtime` |
//! | extended attributes | nothing | `SCHILY.xattr.NAME` |
//! | holes | nothing | `GNU.sparse.…`, and a map in front of the data |
//!
//! The same files therefore give the same bytes, on any machine and at any time, and so the same digest.

use std::io::{self, Read, Write};

use namespaces::{Context, Result};

use super::{BLOCK, Member, MemberKind, Segment};

/// The largest number in seven octal digits, as owners have them, and in eleven, as sizes and times do.
const SMALL: u64 = 0o777_7777;
const LARGE: u64 = 0o777_7777_7777;
/// Room for a name and for a link name.
const NAME: usize = 100;

/// A tar archive that is written from front to back.
///
/// ```
/// use unionfs::{Archive, Member, Writer};
/// let greeting = Member { name: b"greeting".to_vec(), size: 2, mode: 0o644, ..Member::default() };
/// let mut writer = Writer::new(Vec::new());
/// writer.member(&greeting, &mut b"hi".as_slice())?;
/// let bytes = writer.finish()?;
/// assert_eq!(bytes.len(), 512 + 512 + 1024);
/// assert_eq!(Archive::new(bytes.as_slice()).next_member()?, Some(greeting));
/// # Ok::<(), namespaces::Failure>(())
/// ```
#[derive(Debug)]
pub struct Writer<W> {
    writer: W,
}

impl<W: Write> Writer<W> {
    /// An archive that goes to `writer`. Many small writes are made: hand it something buffered.
    pub fn new(writer: W) -> Self {
        Self { writer }
    }

    /// One member and its data: `size` bytes, or for a sparse file the bytes of its segments, one after the other. When
    /// `data` ends early (a file that shrinks while it is read), zeros take its place, for the header has gone out.
    pub fn member(&mut self, member: &Member, data: &mut dyn Read) -> Result<()> {
        let (map, stored) = self.head(member)?;
        self.data(&mut map.as_slice().chain(data), stored)
    }

    /// Only what comes in front of a member's data. Who calls this writes `size` bytes and fills the last block.
    pub fn begin(&mut self, member: &Member) -> Result<()> {
        self.head(member).map(drop)
    }

    /// What has been written so far.
    pub fn into_inner(self) -> W {
        self.writer
    }

    /// The headers. Returns the map of a sparse file, which is part of its data, and the length of both.
    fn head(&mut self, member: &Member) -> Result<(Vec<u8>, u64)> {
        let map = member.sparse.as_deref().map(map).unwrap_or_default();
        let stored = match &member.sparse {
            _ if member.kind != MemberKind::File => 0,
            None => member.size,
            Some(segments) => segments.iter().map(|segment| segment.length).sum(),
        };
        let stored = stored + map.len() as u64;
        let records = records(member, stored);
        if !records.is_empty() {
            let described = Member { name: b"PaxHeaders/0".to_vec(), mode: 0o644, ..Member::default() };
            self.block(&header(&described, b'x', records.len() as u64))?;
            self.data(&mut records.as_slice(), records.len() as u64)?;
        }
        self.block(&header(member, flag(member.kind), stored))?;
        Ok((map, stored))
    }

    /// Ends the archive with two blocks of zeros.
    pub fn finish(mut self) -> Result<W> {
        self.block(&[0; 2 * BLOCK])?;
        self.writer.flush().step("write the archive")?;
        Ok(self.writer)
    }

    fn block(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).step("write the archive")
    }

    /// `size` bytes of `data`, and what fills the last block.
    fn data(&mut self, data: &mut dyn Read, size: u64) -> Result<()> {
        let copied = io::copy(&mut data.take(size), &mut self.writer).step("write the archive")?;
        let missing = size.next_multiple_of(BLOCK as u64) - copied;
        io::copy(&mut io::repeat(0).take(missing), &mut self.writer).step("write the archive").map(drop)
    }
}

/// The type flag, as [`super::header`] reads it.
fn flag(kind: MemberKind) -> u8 {
    match kind {
        MemberKind::File => b'0',
        MemberKind::HardLink => b'1',
        MemberKind::Symlink => b'2',
        MemberKind::CharDevice => b'3',
        MemberKind::BlockDevice => b'4',
        MemberKind::Directory => b'5',
        MemberKind::Fifo => b'6',
        MemberKind::Unknown(flag) => flag,
    }
}

/// The header, with as much as there is room for. `stored` is the number of bytes that follow.
fn header(member: &Member, flag: u8, stored: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block, 0, member.name.get(..NAME).unwrap_or(&member.name));
    octal(&mut block, 100, 8, u64::from(member.mode & 0o7777));
    octal(&mut block, 108, 8, if member.uid > SMALL { 0 } else { member.uid });
    octal(&mut block, 116, 8, if member.gid > SMALL { 0 } else { member.gid });
    octal(&mut block, 124, 12, if stored > LARGE { 0 } else { stored });
    octal(&mut block, 136, 12, u64::try_from(member.mtime.0).ok().filter(|time| *time <= LARGE).unwrap_or(0));
    put(&mut block, 156, &[flag]);
    put(&mut block, 157, member.link.get(..NAME).unwrap_or(&member.link));
    put(&mut block, 257, b"ustar\x0000");
    if matches!(member.kind, MemberKind::CharDevice | MemberKind::BlockDevice) {
        octal(&mut block, 329, 8, u64::from(member.device.0));
        octal(&mut block, 337, 8, u64::from(member.device.1));
    }
    // The sum is taken with spaces in its own place.
    put(&mut block, 148, b"        ");
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    put(&mut block, 148, format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Puts bytes at their place in the header. The places are those of the table in `header.rs`, so there always is one.
fn put(block: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
    if let Some(field) = block.get_mut(at..at + bytes.len()) {
        field.copy_from_slice(bytes);
    }
}

/// A number, in octal digits and a zero byte.
fn octal(block: &mut [u8; BLOCK], at: usize, length: usize, value: u64) {
    put(block, at, format!("{value:0width$o}", width = length - 1).as_bytes());
}

/// What the header has no room for.
fn records(member: &Member, stored: u64) -> Vec<u8> {
    let mut records = Vec::new();
    let mut add = |key: &[u8], value: &[u8]| records.extend(record(key, value));
    if member.sparse.is_some() {
        add(b"GNU.sparse.major", b"1");
        add(b"GNU.sparse.minor", b"0");
        add(b"GNU.sparse.name", &member.name);
        add(b"GNU.sparse.realsize", member.size.to_string().as_bytes());
    } else if member.name.len() > NAME {
        add(b"path", &member.name);
    }
    if member.link.len() > NAME {
        add(b"linkpath", &member.link);
    }
    if stored > LARGE {
        add(b"size", stored.to_string().as_bytes());
    }
    for (key, id) in [(&b"uid"[..], member.uid), (b"gid", member.gid)] {
        if id > SMALL {
            add(key, id.to_string().as_bytes());
        }
    }
    if member.mtime.1 != 0 || u64::try_from(member.mtime.0).map_or(true, |time| time > LARGE) {
        add(b"mtime", time(member.mtime).as_bytes());
    }
    for (name, value) in &member.xattrs {
        add(&[b"SCHILY.xattr.", name.as_slice()].concat(), value);
    }
    records
}

/// `LENGTH KEY=VALUE\n`. The length counts its own digits, so it may have to be one longer than it looks at first.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + b" =\n".len();
    let mut length = rest + rest.to_string().len();
    if length.to_string().len() > rest.to_string().len() {
        length = rest + length.to_string().len();
    }
    [length.to_string().as_bytes(), b" ", key, b"=", value, b"\n"].concat()
}

/// Seconds with a fraction; nanoseconds count upwards, also before 1970: half a second before it is `-0.5`.
fn time((seconds, nanoseconds): (i64, u32)) -> String {
    match (seconds, nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (seconds, nanoseconds) if seconds >= 0 => format!("{seconds}.{nanoseconds:09}"),
        (seconds, nanoseconds) => format!("-{}.{:09}", -(seconds + 1), 1_000_000_000 - nanoseconds),
    }
}

/// The map in front of a sparse file's data (GNU tar manual, "PAX Format, Version 1.0"): decimal numbers on lines of
/// their own, how many pieces and then each one's offset and length, padded to whole blocks.
fn map(segments: &[Segment]) -> Vec<u8> {
    let mut text = format!("{}\n", segments.len()).into_bytes();
    for segment in segments {
        text.extend(format!("{}\n{}\n", segment.offset, segment.length).into_bytes());
    }
    text.resize(text.len().next_multiple_of(BLOCK), 0);
    text
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::archive::Archive;

    /// Names and values have any bytes; names have no zero byte, and are not empty.
    fn name(length: usize) -> impl Strategy<Value = Vec<u8>> {
        vec(1..=255u8, 1..length)
    }

    fn any_member() -> impl Strategy<Value = (Member, Vec<u8>)> {
        let kind = prop_oneof![Just(MemberKind::File), Just(MemberKind::Directory), Just(MemberKind::HardLink)];
        let xattrs =
            vec((name(20).prop_filter("a key ends at =", |key| !key.contains(&b'=')), vec(any::<u8>(), 1..99)), 0..3);
        let ids = (0..1u64 << 32, 0..1u64 << 32);
        let mtime = (-1i64 << 36..1i64 << 36, 0..1_000_000_000u32);
        (name(300), name(300), kind, ids, mtime, xattrs, vec(any::<u8>(), 0..1500)).prop_map(
            |(name, link, kind, (uid, gid), mtime, xattrs, data)| {
                let data = if kind == MemberKind::File { data } else { Vec::new() };
                let link = if kind == MemberKind::HardLink { link } else { Vec::new() };
                let size = data.len() as u64;
                (Member { name, kind, link, size, mode: 0o4755, uid, gid, mtime, xattrs, ..Member::default() }, data)
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(members in vec(any_member(), 0..6)) {
            let mut writer = Writer::new(Vec::new());
            for (member, data) in &members {
                writer.member(member, &mut data.as_slice()).unwrap();
            }
            let bytes = writer.finish().unwrap();
            let mut archive = Archive::new(bytes.as_slice());
            for (member, data) in &members {
                prop_assert_eq!(archive.next_member().unwrap(), Some(member.clone()));
                let mut read = Vec::new();
                archive.read_to_end(&mut read).unwrap();
                prop_assert_eq!(&read, data);
            }
            prop_assert_eq!(archive.next_member().unwrap(), None);
        }
    }

    #[test]
    fn a_sparse_file_is_as_long_as_its_data() {
        let segments = vec![Segment { offset: 0, length: 3 }, Segment { offset: 1 << 40, length: 2 }];
        let sparse = Some(segments);
        let member = Member { name: b"disk".to_vec(), size: (1 << 40) + 2, sparse, ..Member::default() };
        let mut writer = Writer::new(Vec::new());
        writer.member(&member, &mut b"onetw".as_slice()).unwrap();
        let bytes = writer.finish().unwrap();
        assert!(bytes.len() < 5000);
        let mut archive = Archive::new(bytes.as_slice());
        assert_eq!(archive.next_member().unwrap(), Some(member));
        let mut read = Vec::new();
        archive.read_to_end(&mut read).unwrap();
        assert_eq!(read, b"onetw");
    }

    #[test]
    fn a_file_that_shrinks_is_filled_with_zeros() {
        let member = Member { name: b"log".to_vec(), size: 4, ..Member::default() };
        let mut writer = Writer::new(Vec::new());
        writer.member(&member, &mut b"ab".as_slice()).unwrap();
        let bytes = writer.finish().unwrap();
        assert_eq!(bytes.get(512..516), Some(b"ab\0\0".as_slice()));
    }
}
