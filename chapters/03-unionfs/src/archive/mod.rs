//! Reading a tar archive, member by member.
//!
//! ```text
//! ┌────────┬──────────────┬────────┬──────────────┬─────┬───────┬───────┐
//! │ header │ data, padded │ header │ data, padded │  …  │ zeros │ zeros │     in blocks of 512 bytes
//! └────────┴──────────────┴────────┴──────────────┴─────┴───────┴───────┘
//! ```
//!
//! A layer is a POSIX tar archive (pax(1), "ustar Interchange Format" and "pax Interchange Format") or one in GNU tar's
//! older format (tar(5)). What does not fit into a header (long names, extended attributes, exact times) travels in
//! members of its own, in front of the member they describe.
//!
//! Why not the `tar` crate? It splits the records of an extended header at newlines, although they carry their length
//! so that they can have newlines in them. A file capability with the byte 0x0a in it would then lose the file's name,
//! and an attribute made for it could change the name. It also reads headers of any length into memory, and it takes an
//! archive that was cut off in the middle of a file for a complete one. An archive from a stranger deserves a stricter
//! reader.
//!
//! - `header.rs`: the 512 bytes.
//! - `pax.rs`: the records of an extended header.
//! - `sparse.rs`: files with holes, of which only the data is in the archive.
//! - `write.rs`: the same in the other direction.

mod header;
mod pax;
mod sparse;
mod write;

use std::io::{self, ErrorKind, Read};

use namespaces::{Context, Failure, Result};

use header::Header;
use pax::Extended;
pub use sparse::Segment;
pub use write::Writer;

/// Tar counts in blocks of this many bytes.
const BLOCK: usize = 512;
/// The most that a header's additions (long names, attributes, a sparse map) may take together.
const ADDITIONS: u64 = 1 << 20;

/// A tar archive that is read from front to back.
///
/// Between two calls of [`Archive::next_member`] it is itself a reader: of the data of the current member.
#[derive(Debug)]
pub struct Archive<R> {
    reader: R,
    /// Bytes of the current member's data that nobody has read.
    unread: u64,
    /// Bytes between the end of that data and the next header.
    padding: u64,
}

/// One member of an archive: everything but its data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Its name as it stands in the archive: any bytes, absolute or relative, with `..` and symbolic links on the way.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: MemberKind,
    /// Where a symbolic link leads, or the name of the member that a hard link is another name of.
    pub link: Vec<u8>,
    /// Bytes of the file (of a sparse one, including its holes).
    pub size: u64,
    /// Permission bits with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Time of last modification: seconds since 1970, and nanoseconds.
    pub mtime: (i64, u32),
    /// Major and minor number of a device.
    pub device: (u32, u32),
    /// Extended attributes (xattr(7)): full name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Where in the file the archived data goes, when it has holes.
    pub sparse: Option<Vec<Segment>>,
}

/// What a member is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MemberKind {
    /// A regular file; its data follows.
    #[default]
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Another name of an earlier member.
    HardLink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Fifo,
    /// A type flag that we do not know.
    Unknown(u8),
}

/// What the members in front of a member say about it.
#[derive(Default)]
struct Additions {
    /// The `L` member of GNU tar: the whole name.
    long_name: Option<Vec<u8>>,
    /// The `K` member of GNU tar: the whole link name.
    long_link: Option<Vec<u8>>,
    /// The `x` member of POSIX.
    extended: Extended,
    /// How many bytes there may still be of all that; see [`ADDITIONS`].
    budget: u64,
}

/// ```
/// use std::io::Read;
/// use unionfs::Archive;
/// let mut builder = tar::Builder::new(Vec::new());
/// let mut header = tar::Header::new_ustar();
/// header.set_size(2);
/// header.set_mode(0o644);
/// builder.append_data(&mut header, "greeting", &b"hi"[..]).unwrap();
/// let bytes = builder.into_inner().unwrap();
///
/// let mut archive = Archive::new(bytes.as_slice());
/// let member = archive.next_member()?.unwrap();
/// assert_eq!((member.name.as_slice(), member.size), (&b"greeting"[..], 2));
/// let mut content = String::new();
/// archive.read_to_string(&mut content).unwrap();
/// assert_eq!(content, "hi");
/// assert_eq!(archive.next_member()?, None);
/// # Ok::<(), namespaces::Failure>(())
/// ```
impl<R: Read> Archive<R> {
    /// The archive that `reader` gives. Many small reads are made: hand it something buffered.
    pub fn new(reader: R) -> Self {
        Self { reader, unread: 0, padding: 0 }
    }

    /// The next member; `None` at the end of the archive. Skips what is left of the current one.
    pub fn next_member(&mut self) -> Result<Option<Member>> {
        let mut additions = Additions { budget: ADDITIONS, ..Additions::default() };
        while let Some(header) = self.next_header()? {
            let size = additions.extended.stored_size.unwrap_or(header.size()?);
            self.expect_data(size)?;
            match header.kind() {
                b'L' => additions.long_name = Some(until_nul(self.addition(&mut additions.budget)?)),
                b'K' => additions.long_link = Some(until_nul(self.addition(&mut additions.budget)?)),
                b'x' => additions.extended = Extended::parse(&self.addition(&mut additions.budget)?)?,
                // A global header would hold for all that follows. Go and Docker do not honour it, and git writes its
                // commit id into one.
                b'g' => {}
                _ => return self.member(&header, additions, size).map(Some),
            }
        }
        Ok(None)
    }

    /// Reads what follows the archive's end, so that a digest computed below us has seen every byte.
    pub fn drain(&mut self) -> Result<()> {
        io::copy(&mut self.reader, &mut io::sink()).step("read the end of the archive").map(drop)
    }

    /// Puts together what the header and the members in front of it say.
    fn member(&mut self, header: &Header, additions: Additions, size: u64) -> Result<Member> {
        let Additions { long_name, long_link, extended, mut budget } = additions;
        let mut member = header.member()?;
        member.size = size;
        if header.kind() == b'S' {
            let (segments, real_size) = self.old_sparse_map(header, &mut budget)?;
            (member.sparse, member.size) = (Some(segments), real_size);
        }
        if let Some(map) = self.pax_sparse_map(&extended)? {
            (member.sparse, member.size) = (Some(map), extended.real_size.unwrap_or(size));
        }
        if let Some(segments) = &member.sparse {
            sparse::check(segments, member.size, self.unread)?;
        }
        extended.apply(&mut member);
        member.name = long_name.unwrap_or(member.name);
        member.link = long_link.unwrap_or(member.link);
        Ok(member)
    }

    /// The next header that is not all zeros.
    fn next_header(&mut self) -> Result<Option<Header>> {
        self.skip(self.unread + self.padding)?;
        (self.unread, self.padding) = (0, 0);
        match self.block()? {
            None => Ok(None),
            Some(block) if block.iter().all(|byte| *byte == 0) => Ok(None),
            Some(block) => Header::check(&block).map(Some),
        }
    }

    /// One block, or `None` when the stream ends here.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(cut_off()),
                Ok(length) => filled += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).step("read the archive"),
            }
        }
        Ok(Some(block))
    }

    /// The next `size` bytes are the member's data; then comes what fills the last block.
    fn expect_data(&mut self, size: u64) -> Result<()> {
        if size > u64::MAX / 2 {
            return Err(broken("a member has an impossible size"));
        }
        self.unread = size;
        self.padding = size.next_multiple_of(BLOCK as u64) - size;
        Ok(())
    }

    /// The data of a member that describes the next one.
    fn addition(&mut self, budget: &mut u64) -> Result<Vec<u8>> {
        if self.unread > *budget {
            return Err(broken(format!("the header of a member has more than {ADDITIONS} bytes")));
        }
        *budget -= self.unread;
        let mut data = Vec::new();
        self.read_to_end(&mut data).step("read the archive")?;
        Ok(data)
    }

    /// Reads bytes that nobody wants. Fewer than there should be means that the archive was cut off.
    fn skip(&mut self, count: u64) -> Result<()> {
        let skipped = io::copy(&mut (&mut self.reader).take(count), &mut io::sink()).step("read the archive")?;
        if skipped < count { Err(cut_off()) } else { Ok(()) }
    }
}

/// The data of the current member. Fails with `UnexpectedEof` when the archive was cut off.
impl<R: Read> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.unread).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        let length = self.reader.read(buffer)?;
        if length == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "the archive ends in the middle of it"));
        }
        self.unread -= length as u64;
        Ok(length)
    }
}

/// Names end at a zero byte, or fill their field.
fn until_nul(mut text: Vec<u8>) -> Vec<u8> {
    if let Some(end) = text.iter().position(|byte| *byte == 0) {
        text.truncate(end);
    }
    text
}

/// The failure of an archive that is not what it should be.
fn broken(why: impl std::fmt::Display) -> Failure {
    Failure::new("read the archive", why)
}

/// The most common damage of all: a download that broke, a disk that was full.
fn cut_off() -> Failure {
    broken("it ends in the middle; it was cut off")
}
