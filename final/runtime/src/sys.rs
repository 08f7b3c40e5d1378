//! Calls that neither `nix` nor `rustix` offers as needed here. The only `unsafe` of this crate.

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::SigSet;

use rustix::io::Errno;

/// pidfd_send_signal(2), for every number that kill(2) takes: real-time signals too, and 0, which only asks.
pub(crate) fn pidfd_send_signal(pidfd: impl AsFd, signo: i32) -> Result<(), Errno> {
    let fd = pidfd.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open for the length of the call; the null pointer asks for the kernel's own siginfo.
    let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signo, std::ptr::null::<libc::siginfo_t>(), 0) };
    if done == 0 { Ok(()) } else { Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)) }
}

/// Gives free memory back to the kernel (malloc_trim(3)).
pub(crate) fn trim_memory() {
    // SAFETY: touches nothing but the allocator's own free pages; any argument and any moment are allowed.
    unsafe { libc::malloc_trim(0) };
}

/// Has the program begin with no signal held back. This process holds them all while it waits for a container, and a program
/// that inherits that cannot be ended by any but SIGKILL.
pub(crate) fn hold_no_signal(command: &mut Command) {
    // SAFETY: between fork and exec one system call is made, which is async-signal-safe.
    unsafe { command.pre_exec(|| Ok(SigSet::empty().thread_set_mask()?)) };
}

/// What a signal means, such as `Killed` (strsignal(3)).
pub(crate) fn signal_description(signo: i32) -> String {
    // SAFETY: takes any number. What it returns lives until the thread's next call and is copied before that.
    unsafe { std::ffi::CStr::from_ptr(libc::strsignal(signo)) }.to_string_lossy().into_owned()
}
