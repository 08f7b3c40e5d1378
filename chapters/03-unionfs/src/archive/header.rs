//! The header of a member: 512 bytes with a place for everything (pax(1), "ustar Interchange Format").
//!
//! | at  | bytes | what             | at  | bytes | what                                   |
//! |-----|-------|------------------|-----|-------|----------------------------------------|
//! | 0   | 100   | name             | 156 | 1     | type flag                              |
//! | 100 | 8     | mode             | 157 | 100   | link name                              |
//! | 108 | 8     | owner            | 257 | 8     | magic and version                      |
//! | 116 | 8     | group            | 329 | 8     | device, major                          |
//! | 124 | 12    | size             | 337 | 8     | device, minor                          |
//! | 136 | 12    | modification time| 345 | 155   | first part of the name (POSIX only)    |
//! | 148 | 8     | checksum         |     |       |                                        |
//!
//! Numbers are octal digits, or, when the first bit is set, 8 or 12 bytes of binary (GNU).

use namespaces::Result;

use super::{BLOCK, Member, MemberKind, broken, until_nul};

/// A header whose checksum is right.
pub(super) struct Header([u8; BLOCK]);

impl Header {
    /// Takes the block for a header if its checksum says so.
    pub(super) fn check(block: &[u8; BLOCK]) -> Result<Self> {
        let header = Self(*block);
        let expected = number(header.field(148, 8));
        // The sum is taken with spaces in its own place. Some old programs summed signed bytes.
        let bytes = || block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
        let sum: i64 = bytes().map(i64::from).sum();
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        match expected {
            Some(expected) if [sum, signed].contains(&expected) => Ok(header),
            _ => Err(broken("this is not a tar archive, or it is damaged (wrong checksum of a header)")),
        }
    }

    /// The type flag.
    pub(super) fn kind(&self) -> u8 {
        self.field(156, 1).first().copied().unwrap_or_default()
    }

    /// Bytes of data in the archive.
    pub(super) fn size(&self) -> Result<u64> {
        self.unsigned(124, 12)
    }

    /// What the header says, without its additions.
    pub(super) fn member(&self) -> Result<Member> {
        let name = self.name();
        let kind = match self.kind() {
            // Before POSIX a directory was an ordinary file with a slash at the end.
            0 if name.ends_with(b"/") => MemberKind::Directory,
            0 | b'0' | b'7' | b'S' => MemberKind::File,
            b'1' => MemberKind::HardLink,
            b'2' => MemberKind::Symlink,
            b'3' => MemberKind::CharDevice,
            b'4' => MemberKind::BlockDevice,
            b'5' => MemberKind::Directory,
            b'6' => MemberKind::Fifo,
            other => MemberKind::Unknown(other),
        };
        let device = match kind {
            MemberKind::CharDevice | MemberKind::BlockDevice => (self.word(329)?, self.word(337)?),
            _ => (0, 0),
        };
        Ok(Member {
            name,
            kind,
            link: until_nul(self.field(157, 100).to_vec()),
            mode: u32::try_from(self.number(100, 8)? & 0o7777).unwrap_or_default(),
            uid: self.unsigned(108, 8)?,
            gid: self.unsigned(116, 8)?,
            mtime: (self.number(136, 12)?, 0),
            device,
            ..Member::default()
        })
    }

    /// POSIX splits a long name at a slash; GNU uses that place for other things.
    fn name(&self) -> Vec<u8> {
        let name = until_nul(self.field(0, 100).to_vec());
        let prefix = until_nul(self.field(345, 155).to_vec());
        if self.field(257, 8) == b"ustar\x0000" && !prefix.is_empty() {
            return [prefix.as_slice(), b"/", &name].concat();
        }
        name
    }

    /// The part of the header from `at`.
    /// Fields are at fixed places, so this cannot fail for the places of the table above.
    pub(super) fn field(&self, at: usize, length: usize) -> &[u8] {
        self.0.get(at..at + length).unwrap_or_default()
    }

    /// A number that cannot be negative.
    pub(super) fn unsigned(&self, at: usize, length: usize) -> Result<u64> {
        u64::try_from(self.number(at, length)?).map_err(|_| broken("a header has a negative number"))
    }

    /// A device number: 32 bits.
    fn word(&self, at: usize) -> Result<u32> {
        u32::try_from(self.number(at, 8)?).map_err(|_| broken("a header has a number that is too large"))
    }

    /// A number of any sign; times may be before 1970.
    fn number(&self, at: usize, length: usize) -> Result<i64> {
        number(self.field(at, length)).ok_or_else(|| broken("a header has a number that is none"))
    }
}

/// A number field. One that is empty is 0.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    // SOLUTION tar-number
    match field.split_first() {
        // Big-endian. The first bit only says that it is binary; the second is the sign, in two's complement.
        Some((first, rest)) if first & 0x80 != 0 => {
            let top = i64::from(first & 0x3f) - i64::from(first & 0x40);
            rest.iter().try_fold(top, |value, byte| value.checked_mul(256)?.checked_add(i64::from(*byte)))
        }
        _ => {
            let text = std::str::from_utf8(field).ok()?;
            let digits = text.trim_matches(|letter: char| letter == '\0' || letter == ' ');
            if digits.is_empty() { Some(0) } else { i64::from_str_radix(digits, 8).ok() }
        }
    }
    // END SOLUTION
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_octal_or_binary() {
        assert_eq!(number(b"0000755\0"), Some(0o755));
        assert_eq!(number(b"   755 \0"), Some(0o755));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\x02"), Some(0x102));
        assert_eq!(number(&[0xff; 12]), Some(-1));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
        assert_eq!(number(b"0000789\0"), None);
        assert_eq!(number(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "more than 63 bits");
    }
}
