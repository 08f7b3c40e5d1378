//! Packing: a directory becomes a tar archive. The way back from `unpack/`.
//!
//! Three things are packed, and they differ in two questions: what becomes of the overlay's signs, and how far down the
//! walk goes.
//!
//! | what | overlay's signs | other mounts |
//! |---|---|---|
//! | a writable layer ([`pack_layer`]) | become `.wh.` names | there are none |
//! | a whole root, for `docker export` | are not seen through a mount | their mount points are empty |
//! | a file or directory, for `docker cp` | likewise | come along |
//!
//! ```text
//! upper directory                          archive, in the order of the names
//! ───────────────                          ──────────────────────────────────
//! bin/            directory                bin/
//! bin/vi          character device 0:0     bin/.wh.vi
//! cache/          overlay.opaque = y       cache/  cache/.wh..wh..opq
//! etc/motd        inode 12                 etc/motd
//! etc/same        inode 12                 etc/same     a hard link to etc/motd
//! run/socket      a socket                 nothing
//! ```
//!
//! The container may be running and may change everything while it is looked at. So the walk is by descriptor and follows
//! no link, a file is opened only after it was seen to be one, and what grows or shrinks meanwhile has the size that it
//! had at first. What then comes out may be neither the state before nor the state after, but never a file of the host
//! (CVE-2018-15664, CVE-2019-10152).
//!
//! - `entry.rs`: what the kernel says of one file, as a [`Member`](crate::Member).
//! - `holes.rs`: where a sparse file has its data.

mod entry;
mod holes;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use namespaces::{Context, Failure, Result, Root};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags, fstat, openat, statat, statx};
use rustix::io::Errno;

use crate::archive::{Member, MemberKind, Segment, Writer};
use crate::changes::{is_opaque, is_whiteout, names};
use crate::copied::mark::is_copied;
use entry::{member, xattrs, xattrs_at};

/// How deep a tree is followed. Each level keeps a descriptor open.
const DEPTH: usize = 1000;
/// How a directory is opened: if somebody has put a link in its place, the call fails.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// How a file is opened: should it have become a FIFO meanwhile, nobody waits for its writer.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// What is packed; the table above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The upper directory of an overlay.
    Layer,
    /// A tree without what is mounted in it.
    OneMount,
    /// A tree with what is mounted in it.
    Whole,
}

/// Packs the writable layer in the directory `upper`: what a layer of an image is made of. The same layer gives the same
/// bytes, so the same digest.
///
/// What `leave_out` says yes to is not packed: paths relative to the layer. Nor is a file whose own name begins with `.wh.`:
/// in a layer such a name means that another file is gone, and there is no way to say that it does not.
pub fn pack_layer(upper: &Path, writer: impl Write, leave_out: &dyn Fn(&Path) -> bool) -> Result<()> {
    let top = Root::open(upper)?.open_at(Path::new("/"), DIRECTORY, Mode::empty())?;
    let mut packer = Packer { leave_out, ..Packer::new(writer, Form::Layer) };
    if is_copied(upper) {
        // It has everything, so nothing of the layers below may show through.
        packer.sign(b"", b".wh..wh..opq")?;
    }
    packer.add_contents(top.as_fd())?;
    packer.finish().map(drop)
}

/// An archive that files are packed into.
pub struct Packer<'a, W> {
    writer: Writer<W>,
    form: Form,
    /// What is not packed, by its name in the archive.
    leave_out: &'a dyn Fn(&Path) -> bool,
    /// The mount that the walk began in, for [`Form::OneMount`].
    mount: Option<u64>,
    /// The name under which a file with several names was packed first. The others become hard links to it.
    first_names: HashMap<(u64, u64), Vec<u8>>,
}

impl<W: Write> Packer<'_, W> {
    /// An empty archive that goes to `writer`, which should be buffered.
    pub fn new(writer: W, form: Form) -> Self {
        Self { writer: Writer::new(writer), form, leave_out: &|_| false, mount: None, first_names: HashMap::new() }
    }

    /// Packs `name` (one component, or `.`) of the directory `parent`, with everything below it, as `packed_as`.
    pub fn add(&mut self, parent: BorrowedFd<'_>, name: &OsStr, packed_as: &[u8]) -> Result<()> {
        self.entry(parent, name, packed_as, 0).map_err(|failure| match failure.target {
            None => failure.on(String::from_utf8_lossy(packed_as)),
            Some(_) => failure,
        })
    }

    /// Packs everything in a directory, and not the directory itself.
    pub fn add_contents(&mut self, directory: BorrowedFd<'_>) -> Result<()> {
        self.is_elsewhere(directory, OsStr::new("."))?;
        names(directory)?.iter().try_for_each(|name| self.add(directory, name, name.as_bytes()))
    }

    /// Ends the archive.
    pub fn finish(self) -> Result<W> {
        self.writer.finish()
    }

    /// One name, by the kind of what it names. What has vanished since its directory was listed is not missed.
    fn entry(&mut self, parent: BorrowedFd<'_>, name: &OsStr, packed_as: &[u8], depth: usize) -> Result<()> {
        if (self.leave_out)(Path::new(OsStr::from_bytes(packed_as))) {
            return Ok(());
        }
        let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) if depth > 0 => return Ok(()),
            stat => stat.step("look at")?,
        };
        let layer = self.form == Form::Layer;
        if layer && is_whiteout(&stat) {
            return self.sign(packed_as, &[b".wh.", name.as_bytes()].concat());
        }
        if layer && name.as_bytes().starts_with(b".wh.") {
            return Ok(());
        }
        let Some(mut member) = member(&stat, packed_as) else { return Ok(()) };
        let elsewhere = self.is_elsewhere(parent, name)?;
        if stat.st_nlink > 1 && member.kind != MemberKind::Directory && !elsewhere {
            if let Some(first) = self.first_names.get(&(stat.st_dev, stat.st_ino)) {
                let link = Member { kind: MemberKind::HardLink, link: first.clone(), size: 0, ..member };
                return self.writer.member(&link, &mut std::io::empty());
            }
            self.first_names.insert((stat.st_dev, stat.st_ino), packed_as.to_vec());
        }
        match member.kind {
            MemberKind::Directory => self.directory(parent, name, member, elsewhere, depth),
            MemberKind::File if elsewhere => self.writer.member(&Member { size: 0, ..member }, &mut std::io::empty()),
            MemberKind::File => self.file(parent, name, member),
            kind => {
                if kind == MemberKind::Symlink {
                    member.link = entry::link(parent, name)?;
                }
                member.xattrs = xattrs_at(parent, name)?;
                self.writer.member(&member, &mut std::io::empty())
            }
        }
    }

    /// A directory, the sign that it hides what is below, and what is in it, in the order of the names.
    fn directory(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &OsStr,
        mut member: Member,
        elsewhere: bool,
        depth: usize,
    ) -> Result<()> {
        if depth > DEPTH {
            return Err(Failure::new("pack", "its directories are nested too deeply"));
        }
        let directory = match openat(parent, name, DIRECTORY, Mode::empty()) {
            // It was there a moment ago.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if depth > 0 => return Ok(()),
            directory => directory.step("open")?,
        };
        member.xattrs = xattrs(&directory)?;
        self.writer.member(&member, &mut std::io::empty())?;
        if elsewhere {
            return Ok(());
        }
        let inside = member.name;
        if self.form == Form::Layer && is_opaque(&directory)? {
            self.sign(&[inside.as_slice(), b"x"].concat(), b".wh..wh..opq")?;
        }
        for name in names(&directory)? {
            self.entry(directory.as_fd(), &name, &[inside.as_slice(), name.as_bytes()].concat(), depth + 1)?;
        }
        Ok(())
    }

    /// A regular file. It has the size that it has when it is opened.
    fn file(&mut self, parent: BorrowedFd<'_>, name: &OsStr, mut member: Member) -> Result<()> {
        let mut file = match openat(parent, name, FILE, Mode::empty()) {
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(()),
            file => File::from(file.step("open")?),
        };
        let stat = fstat(&file).step("look at")?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        member.size = u64::try_from(stat.st_size).unwrap_or_default();
        member.xattrs = xattrs(&file)?;
        member.sparse = holes::segments(&file, &stat)?;
        match member.sparse.clone() {
            None => self.writer.member(&member, &mut file),
            Some(segments) => {
                self.writer.member(&member, &mut Data { file: &mut file, left: segments.into_iter(), unread: 0 })
            }
        }
    }

    /// A member that only has a name: a whiteout beside the file `beside`.
    fn sign(&mut self, beside: &[u8], name: &[u8]) -> Result<()> {
        let directory = beside.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let name = [beside.get(..directory).unwrap_or_default(), name].concat();
        self.writer.member(&Member { name, mode: 0o600, ..Member::default() }, &mut std::io::empty())
    }

    /// Whether something is mounted on this name and the walk is to stay in its mount.
    fn is_elsewhere(&mut self, parent: BorrowedFd<'_>, name: &OsStr) -> Result<bool> {
        if self.form != Form::OneMount {
            return Ok(false);
        }
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let mount = match statx(parent, name, flags, StatxFlags::MNT_ID) {
            Err(Errno::NOENT) => return Ok(false),
            found => found.step("look at")?.stx_mnt_id,
        };
        Ok(*self.mount.get_or_insert(mount) != mount)
    }
}

/// The data of a sparse file without its holes.
struct Data<'a> {
    file: &'a mut File,
    left: std::vec::IntoIter<Segment>,
    unread: u64,
}

impl Read for Data<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.unread == 0 {
            let Some(next) = self.left.next() else { return Ok(0) };
            self.file.seek(SeekFrom::Start(next.offset))?;
            self.unread = next.length;
        }
        let wanted = usize::try_from(self.unread).unwrap_or(usize::MAX).min(buffer.len());
        let length = self.file.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        self.unread -= length as u64;
        Ok(length)
    }
}
