//! Which other program a program needs to run: the line after `#!`, or the dynamic loader of an ELF file (execve(2), elf(5)).
//!
//! Only for a better message: `No such file or directory` about a file that is there helps nobody. It is what the kernel says
//! when a script names `/bin/bash` and the image has none, or when a program built for glibc is put on an image with musl.
//!
//! The bytes come from an image and may be anything, so every number in them is doubted: no offset is followed beyond what
//! was read, and no addition may overflow.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Segment type of the path of the dynamic loader.
const PT_INTERP: u32 = 3;
/// `e_machine` of x86-64.
const EM_X86_64: u16 = 62;

/// The interpreter that the file beginning with `head` asks for. `None` when it asks for none (a static program), or when the
/// path is not in these first bytes.
pub(crate) fn of(head: &[u8]) -> Option<PathBuf> {
    let path = match head {
        [b'#', b'!', line @ ..] => line
            .split(|byte| *byte == b'\n')
            .next()?
            .split(|byte| matches!(byte, b' ' | b'\t'))
            .find(|word| !word.is_empty())?,
        // A 64-bit little-endian ELF file.
        [0x7f, b'E', b'L', b'F', 2, 1, ..] => loader(head)?,
        _ => return None,
    };
    Some(PathBuf::from(OsString::from_vec(path.to_vec())))
}

/// What is wrong with a file that the kernel does not take for a program.
pub(crate) fn why_not(head: &[u8]) -> &'static str {
    match head {
        [] => "The file is empty.",
        [0x7f, b'E', b'L', b'F', ..] if number::<2>(head, 18) != Some(u64::from(EM_X86_64)) => {
            "The program is for another processor than x86-64; pull the image for this platform."
        }
        [0x7f, b'E', b'L', b'F', ..] => "The file is damaged, or is not a program but a library or object file.",
        _ => "The file is no program; a script must begin with #! and the path of its interpreter.",
    }
}

/// The path in the `PT_INTERP` segment, without its final zero.
fn loader(head: &[u8]) -> Option<&[u8]> {
    // SOLUTION elf-loader
    let (table, size, count) = (number::<8>(head, 32)?, number::<2>(head, 54)?, number::<2>(head, 56)?);
    for index in 0..count {
        let entry = usize::try_from(table.checked_add(index.checked_mul(size)?)?).ok()?;
        if number::<4>(head, entry)? != u64::from(PT_INTERP) {
            continue;
        }
        let start = usize::try_from(number::<8>(head, entry.checked_add(8)?)?).ok()?;
        let length = usize::try_from(number::<8>(head, entry.checked_add(32)?)?).ok()?;
        let path = head.get(start..start.checked_add(length)?)?;
        return path.split(|byte| *byte == 0).next().filter(|path| !path.is_empty());
    }
    None
    // END SOLUTION
}

/// The little-endian number of `N` bytes at `offset`.
fn number<const N: usize>(bytes: &[u8], offset: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset.checked_add(N)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn scripts() {
        assert_eq!(of(b"#!/bin/sh\necho").as_deref(), Some(Path::new("/bin/sh")));
        assert_eq!(of(b"#! /usr/bin/env python3\n").as_deref(), Some(Path::new("/usr/bin/env")));
        assert_eq!(of(b"#!\n"), None);
        assert_eq!(of(b"echo"), None);
        assert_eq!(of(b""), None);
    }

    #[test]
    fn a_dynamic_program_names_its_loader() {
        let own = std::fs::read("/usr/bin/env").unwrap();
        assert_eq!(of(&own).as_deref(), Some(Path::new("/lib64/ld-linux-x86-64.so.2")));
    }

    #[test]
    fn other_machines_are_told_apart() {
        let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 183, 0];
        assert!(why_not(&head).contains("another processor"));
        head[18] = 62;
        assert!(why_not(&head).contains("damaged"));
        assert!(why_not(b"hello").contains("#!"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(tail: Vec<u8>) {
            let _ = of(&tail);
            let elf = [&[0x7f, b'E', b'L', b'F', 2, 1], tail.as_slice()].concat();
            let _ = (of(&elf), why_not(&elf));
        }
    }
}
