//! bpf(2), which neither `nix` nor `rustix` has. The only `unsafe` of the chapter.
//!
//! The call takes a command, a union of structures and the size of the one that is meant; what is not mentioned is 0. The
//! layouts are those of `include/uapi/linux/bpf.h`, cut off after the last field that is used.

use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use rustix::io::Errno;

/// `BPF_PROG_LOAD`, `BPF_PROG_ATTACH`.
const LOAD: libc::c_int = 5;
const ATTACH: libc::c_int = 8;
/// `BPF_PROG_TYPE_CGROUP_DEVICE` and its hook, `BPF_CGROUP_DEVICE`.
const CGROUP_DEVICE: u32 = 15;
const AT_DEVICE: u32 = 6;
/// `BPF_F_ALLOW_MULTI`: a group inside may have a program of its own; what it allows, both must allow.
const ALLOW_MULTI: u32 = 2;

#[repr(C)]
struct Load {
    kind: u32,
    length: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
}

#[repr(C)]
struct Attach {
    target: RawFd,
    program: RawFd,
    kind: u32,
    flags: u32,
}

/// Has the kernel verify and compile a program that decides about devices; the descriptor keeps it.
pub(crate) fn load_device_program(instructions: &[u64]) -> Result<OwnedFd, Errno> {
    let license: &CStr = c"Apache-2.0";
    let load = Load {
        kind: CGROUP_DEVICE,
        length: u32::try_from(instructions.len()).map_err(|_| Errno::TOOBIG)?,
        instructions: instructions.as_ptr().addr() as u64,
        license: license.as_ptr().addr() as u64,
        log_level: 0,
        log_size: 0,
        log: 0,
        kernel_version: 0,
        flags: 0,
    };
    // SAFETY: `load` and both of its pointers are valid for reading for the length of the call, which keeps none of them.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, LOAD, &raw const load, size_of::<Load>()) };
    let fd = RawFd::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(last_errno)?;
    // SAFETY: the kernel has just made this descriptor for us, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Has `program` decide for the group whose directory `cgroup` is. The group keeps the program.
pub(crate) fn attach_device_program(cgroup: BorrowedFd<'_>, program: &OwnedFd) -> Result<(), Errno> {
    let attach =
        Attach { target: cgroup.as_raw_fd(), program: program.as_raw_fd(), kind: AT_DEVICE, flags: ALLOW_MULTI };
    // SAFETY: `attach` is valid for reading for the length of the call, and holds numbers only.
    let done = unsafe { libc::syscall(libc::SYS_bpf, ATTACH, &raw const attach, size_of::<Attach>()) };
    if done == 0 { Ok(()) } else { Err(last_errno()) }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
