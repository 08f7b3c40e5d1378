//! Kernel parameters below `/proc/sys/net` (sysctl(8)).
//!
//! Each network namespace has its own, and the same path leads each thread to those of the namespace that it is in. That is
//! why a new namespace's parameters are written by the thread that made it (`namespace.rs`).

use std::fs;
use std::io::ErrorKind;

use namespaces::{Context as _, Result};

/// Writes `value` where it is not there already.
pub(crate) fn set(path: &str, value: &str) -> Result<()> {
    let now = fs::read_to_string(path).during("read the kernel parameter", path)?;
    if now.trim() == value { Ok(()) } else { fs::write(path, value).during("set the kernel parameter", path) }
}

/// Writes `value`, or does nothing where the kernel has no such parameter (one built without IPv6).
pub(crate) fn set_if_present(path: &str, value: &str) -> Result<()> {
    match fs::write(path, value) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        written => written.during("set the kernel parameter", path),
    }
}
