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

/// Turns the host into a router for IPv6.
///
/// A router does not listen to routers, so an interface that has its own default route from one (`accept_ra` 1) would lose it
/// and the host its way out. With 2 it goes on listening.
pub(crate) fn forward_ipv6() -> Result<()> {
    const ALL: &str = "/proc/sys/net/ipv6/conf/all/forwarding";
    let interfaces = fs::read_dir("/proc/sys/net/ipv6/conf").during("list", "/proc/sys/net/ipv6/conf")?;
    if fs::read_to_string(ALL).during("read the kernel parameter", ALL)?.trim() == "1" {
        return Ok(());
    }
    for interface in interfaces.flatten().filter(|interface| interface.file_name() != "all") {
        let path = interface.path().join("accept_ra");
        if fs::read_to_string(&path).is_ok_and(|value| value.trim() == "1") {
            // One that is gone meanwhile is no loss.
            let _ = fs::write(&path, "2");
        }
    }
    set(ALL, "1")
}
