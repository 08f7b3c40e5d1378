//! The first root of the guest, in memory: it loads the driver of the disk and moves on to it.
//!
//! The kernel unpacks an archive in cpio's "newc" format (`Documentation/driver-api/early-userspace/buffer-format.rst`): for
//! each file a header of thirteen numbers in hexadecimal, its name, its content, each filled up to four bytes.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, Result};

use super::kernel::Kernel;

/// The same that the workshop's machine begins with.
const INIT: &str = include_str!("../../../book/vm/first.sh");

/// Writes the archive.
pub(crate) fn write(kernel: &Kernel, to: &Path) -> Result<()> {
    let mut archive = Archive { out: BufWriter::new(File::create(to)?), count: 0 };
    for directory in ["bin", "dev", "modules", "new"] {
        archive.entry(directory, 0o040_755, &[])?;
    }
    let busybox = std::fs::read("/bin/busybox").context("the package busybox-static is not installed")?;
    archive.entry("bin/busybox", 0o100_755, &busybox)?;
    if let Some((_, driver)) = kernel.modules.iter().find(|(name, _)| *name == "virtio_blk") {
        archive.entry("modules/virtio_blk.ko", 0o100_644, &std::fs::read(driver)?)?;
    }
    archive.entry("init", 0o100_755, INIT.as_bytes())?;
    archive.entry("TRAILER!!!", 0, &[])?;
    Ok(archive.out.flush()?)
}

struct Archive<W: Write> {
    out: W,
    count: usize,
}

impl<W: Write> Archive<W> {
    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.count += 1;
        // Inode, mode, owner, group, links, time, size, four numbers of devices, length of the name with its zero, no checksum.
        let numbers = [self.count, mode as usize, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        write!(self.out, "070701")?;
        numbers.iter().try_for_each(|number| write!(self.out, "{number:08x}"))?;
        write!(self.out, "{name}\0")?;
        // The magic number has 6 bytes, the numbers 104.
        self.fill(110 + name.len() + 1)?;
        self.out.write_all(content)?;
        self.fill(content.len())
    }

    fn fill(&mut self, length: usize) -> io::Result<()> {
        let missing = length.next_multiple_of(4) - length;
        self.out.write_all(&vec![0; missing])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_contents_are_filled_up_to_four_bytes() {
        let mut archive = Archive { out: Vec::new(), count: 0 };
        archive.entry("init", 0o100_755, b"hello").unwrap();
        let text = String::from_utf8(archive.out).unwrap();
        assert!(text.starts_with("07070100000001000081ed0000000000000000000000010000000000000005"), "{text}");
        assert!(text.ends_with("0000000500000000init\0\0hello\0\0\0"), "{text:?}");
        assert_eq!(text.len() % 4, 0);
    }
}
