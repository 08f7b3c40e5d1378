//! How much space a directory takes, counted as du(1) counts it.
//!
//! A file with holes takes less than its size says, a small one more, and one with three names takes its space once. What
//! a user compares our figure with is `du`, so blocks are counted, each inode once, directories too.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::Path;

use namespaces::{Context, Result};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use crate::changes::names;

/// How deep a tree is followed.
const DEPTH: usize = 1000;
const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What a tree takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on the disk: `du -s --block-size=1`.
    pub disk: u64,
    /// Bytes of the regular files, as `ls` shows them.
    pub files: u64,
}

/// Counts the tree at `directory`. Follows no link and enters no other file system than the directory's own. What vanishes
/// meanwhile counts nothing.
pub fn usage(directory: &Path) -> Result<Usage> {
    let step = "count the space of";
    let top = openat(CWD, directory, OPEN, Mode::empty()).during(step, directory.display())?;
    let stat = statat(&top, "", AtFlags::EMPTY_PATH).during(step, directory.display())?;
    let mut count = Count { usage: Usage::default(), seen: HashSet::new(), device: stat.st_dev };
    count.usage.disk += blocks(stat.st_blocks);
    count.directory(&top, 0).map_err(|failure| failure.on(directory.display()))?;
    Ok(count.usage)
}

struct Count {
    usage: Usage,
    /// Files with several names that have been counted.
    seen: HashSet<u64>,
    device: u64,
}

impl Count {
    fn directory(&mut self, directory: &OwnedFd, depth: usize) -> Result<()> {
        for name in names(directory)? {
            let stat = match statat(directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                stat => stat.step("count the space of")?,
            };
            let kind = FileType::from_raw_mode(stat.st_mode);
            let counted = kind != FileType::Directory && stat.st_nlink > 1 && !self.seen.insert(stat.st_ino);
            if counted || stat.st_dev != self.device {
                continue;
            }
            self.usage.disk += blocks(stat.st_blocks);
            match kind {
                FileType::RegularFile => self.usage.files += u64::try_from(stat.st_size).unwrap_or_default(),
                FileType::Directory if depth < DEPTH => match openat(directory, &name, OPEN, Mode::empty()) {
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                    inner => self.directory(&inner.step("count the space of")?, depth + 1)?,
                },
                _ => {}
            }
        }
        Ok(())
    }
}

/// stat(3type): in units of 512 bytes, whatever the file system's own blocks are.
fn blocks(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default() * 512
}
