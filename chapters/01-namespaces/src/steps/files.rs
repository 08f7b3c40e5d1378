//! Descriptors: what the program inherits is 0, 1, 2 and what was promised to it.
//!
//! An open descriptor is a right that no namespace takes away. A file of the host that was opened before the pivot stays
//! open after it, and a *directory* of the host leads to everything below and, by `..`, above it.

use crate::failure::{Context, Result};
use crate::stage::Child;
use crate::sys;

/// A descriptor of a host directory that reaches the program is a way out of the container (CVE-2024-21626). Everything
/// here is opened close-on-exec anyway; this covers what the launcher inherited.
///
/// They are marked and not closed (close_range(2), `CLOSE_RANGE_CLOEXEC`), because the way to the parent is among them: a
/// failing execve(2) still has to be reported, and a successful one is noticed by that very descriptor closing.
pub(super) fn close(child: &mut Child<'_>) -> Result<()> {
    let first = child.container.process.preserve_fds.saturating_add(3);
    sys::close_on_exec_from(first).step("close the launcher's files")
}
