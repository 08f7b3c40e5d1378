//! Which device nodes a container may open or make. Version 1 has files for it (devices.allow, devices.deny); version 2
//! asks an eBPF program instead: `program.rs` makes it of the same rules, `bpf.rs` writes it down.
//!
//! A device node is only a name for a pair of numbers, `mknod disk b 8 0` makes one anywhere, and the kernel opens the
//! device behind the numbers and not the file. Permissions of files in the image are therefore no protection; this list
//! is.

mod bpf;
mod program;

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

/// Allows one device, or all with the same kind and major number.
///
/// Everything that no rule allows is denied: `open` and `mknod` give EPERM, even to root with every capability. Without
/// this a container with CAP_MKNOD makes itself a node of the host's disk and reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// Character or block.
    pub kind: DeviceKind,
    /// Major number; `None` is every one.
    pub major: Option<u32>,
    /// Minor number; `None` is every one.
    pub minor: Option<u32>,
    /// May be opened for reading.
    pub read: bool,
    /// May be opened for writing.
    pub write: bool,
    /// A node of it may be made (mknod(2)).
    pub mknod: bool,
}

/// The two kinds of device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// Read and written as a stream: terminals, `/dev/null`.
    Character,
    /// Read and written in blocks: disks.
    Block,
}

impl DeviceRule {
    /// Reading, writing and making the character device `major:minor`.
    pub fn character(major: u32, minor: u32) -> Self {
        Self {
            kind: DeviceKind::Character,
            major: Some(major),
            minor: Some(minor),
            read: true,
            write: true,
            mknod: true,
        }
    }

    /// What every container may use: the nodes that its `/dev` has (null, zero, full, random, urandom, tty, console,
    /// ptmx and the pseudo-terminals), and making, but not opening, a node of anything else. Package installers make
    /// nodes; the denied `open` is what protects. The list is docker's.
    pub fn defaults() -> Vec<Self> {
        let make_only = |kind| Self { kind, major: None, minor: None, read: false, write: false, mknod: true };
        vec![
            make_only(DeviceKind::Character),
            make_only(DeviceKind::Block),
            Self::character(1, 3),
            Self::character(1, 5),
            Self::character(1, 7),
            Self::character(1, 8),
            Self::character(1, 9),
            Self::character(5, 0),
            Self::character(5, 1),
            Self::character(5, 2),
            Self { minor: None, ..Self::character(136, 0) },
        ]
    }
}

/// As devices.allow reads it: `c 1:3 rwm`, `b *:* m` (kernel documentation, `admin-guide/cgroup-v1/devices.rst`).
impl Display for DeviceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
        let kind = match self.kind {
            DeviceKind::Character => 'c',
            DeviceKind::Block => 'b',
        };
        write!(f, "{kind} {}:{} ", number(self.major), number(self.minor))?;
        for (allowed, letter) in [(self.read, "r"), (self.write, "w"), (self.mknod, "m")] {
            f.write_str(if allowed { letter } else { "" })?;
        }
        Ok(())
    }
}
