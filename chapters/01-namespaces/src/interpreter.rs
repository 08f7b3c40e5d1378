//! Which other program a program needs to run: the line after `#!`, or the dynamic loader of an ELF file (execve(2), elf(5)).
//!
//! Only for a better message: `No such file or directory` about a file that is there helps nobody. It is what the kernel says
//! when a script names `/bin/bash` and the image has none, or when a program built for glibc is put on an image with musl.
//!
//! The bytes come from an image and may be anything, so every number in them is doubted: no offset is followed beyond what
//! was read, and no addition may overflow.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

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

/// What to say when the `interpreter` that a file asks for is not there.
pub(crate) fn missing(interpreter: &Path) -> String {
    let shown = interpreter.to_string_lossy();
    let what = format!("The file is there, but the interpreter it asks for, {}, is not", shown.escape_debug());
    if shown.ends_with('\r') {
        return format!("{what}: its first line ends as those of DOS do. Convert it: dos2unix, or sed -i 's/\\r$//'.");
    }
    let loader = interpreter.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("ld-"));
    let why = ": the program was built for another C library. Link it statically, or take a fitting image";
    format!("{what} in the image{}.", if loader { why } else { "" })
}

/// What to say when the `interpreter` that a file asks for may not be executed.
pub(crate) fn unfit(interpreter: &Path) -> String {
    let shown = interpreter.to_string_lossy();
    format!("The file may be executed, but not the interpreter it asks for, {}.", shown.escape_debug())
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
    fn a_missing_interpreter_is_told_with_what_is_to_be_done() {
        insta::assert_snapshot!(missing(Path::new("/bin/bash")), @"The file is there, but the interpreter it asks for, /bin/bash, is not in the image.");
        insta::assert_snapshot!(missing(Path::new("/bin/sh\r")), @r#"The file is there, but the interpreter it asks for, /bin/sh\r, is not: its first line ends as those of DOS do. Convert it: dos2unix, or sed -i 's/\r$//'."#);
        insta::assert_snapshot!(missing(Path::new("/lib/ld-musl-x86_64.so.1")), @"The file is there, but the interpreter it asks for, /lib/ld-musl-x86_64.so.1, is not in the image: the program was built for another C library. Link it statically, or take a fitting image.");
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
