//! The system call filter met by programs of the other, 32-bit way into the kernel.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use namespaces::seccomp;

use crate::Test;
use crate::bench::{Image, run};

pub(crate) const TESTS: &[Test] = &[
    ("a_32_bit_program_runs", runs),
    ("a_32_bit_program_is_filtered_too", filtered),
    ("another_profile_in_dockers_format", own_profile),
];

/// A static i386 program: makes each of `calls` (number and three arguments) by `int 0x80`, and ends with how often the
/// answer was -1 (EPERM).
fn program(calls: &[[u32; 4]]) -> Vec<u8> {
    const BASE: u32 = 0x0804_8000;
    const HEADERS: u32 = 52 + 32;
    // xor esi, esi
    let mut code = vec![0x31, 0xf6];
    for call in calls {
        // mov eax | ebx | ecx | edx, value
        for (register, value) in [0xb8, 0xbb, 0xb9, 0xba].into_iter().zip(call) {
            code.push(register);
            code.extend(value.to_le_bytes());
        }
        // int 0x80; cmp eax, -1; jne over; inc esi
        code.extend([0xcd, 0x80, 0x83, 0xf8, 0xff, 0x75, 0x01, 0x46]);
    }
    // mov ebx, esi; mov eax, 1; int 0x80: exit(esi)
    code.extend([0x89, 0xf3, 0xb8, 1, 0, 0, 0, 0xcd, 0x80]);
    let size = HEADERS + u32::try_from(code.len()).unwrap();
    // ELF32, little endian, ET_EXEC, EM_386 (elf(5)).
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0".to_vec();
    elf.extend([1, BASE + HEADERS, 52, 0, 0].into_iter().flat_map(u32::to_le_bytes));
    elf.extend([52, 32, 1, 0, 0, 0].into_iter().flat_map(u16::to_le_bytes));
    // One PT_LOAD, readable and executable.
    elf.extend([1, 0, BASE, BASE, size, size, 5, 0x1000].into_iter().flat_map(u32::to_le_bytes));
    elf.extend(code);
    elf
}

fn ends_with(calls: &[[u32; 4]]) -> u8 {
    let image = Image::new();
    let path = image.path().join("bin/small");
    fs::write(&path, program(calls)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let mut container = image.container("");
    container.process.args = vec!["small".into()];
    run(&container).status
}

fn runs() {
    // getpid, getuid32, clock_gettime64 with a bad address: none of them is refused.
    assert_eq!(ends_with(&[[20, 0, 0, 0], [199, 0, 0, 0], [403, 0, 0, 0]]), 0);
}

/// socket(AF_ALG), socket(AF_VSOCK), socketcall(SYS_SOCKET, …), unshare(CLONE_NEWUSER), keyctl, mount; and socket(AF_UNIX).
fn filtered() {
    let refused =
        [[359, 38, 5, 0], [359, 40, 1, 0], [102, 1, 0, 0], [310, 0x1000_0000, 0, 0], [288, 0, 0, 0], [21, 0, 0, 0]];
    assert_eq!(usize::from(ends_with(&refused)), refused.len());
    assert_eq!(ends_with(&[[359, 1, 1, 0]]), 0);
}

fn own_profile() {
    let profile = br#"{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        { "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95 },
        { "names": ["chmod", "fchmodat", "fchmodat2"], "action": "SCMP_ACT_ERRNO", "includes": { "caps": ["CAP_CHOWN"] } } ] }"#;
    let image = Image::new();
    let mut container = image.container("mkdir /x 2>&1; busybox chmod 700 /tmp && echo changed");
    container.process.seccomp = seccomp::program_from_json(profile, &[]).unwrap();
    assert_eq!(run(&container).lines(), ["mkdir: can't create directory '/x': Operation not supported", "changed"]);
    container.process.seccomp = seccomp::program_from_json(profile, &["CHOWN".to_owned()]).unwrap();
    assert!(!run(&container).text.contains("changed"));
}
