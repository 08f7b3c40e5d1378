//! Descriptors: what the program inherits is 0, 1, 2 and what was promised to it.

use crate::failure::{Context, Result};
use crate::stage::Child;
use crate::sys;

/// A descriptor of a host directory that reaches the program is a way out of the container (CVE-2024-21626). Everything
/// here is opened close-on-exec anyway; this covers what the launcher inherited.
pub(super) fn close(child: &mut Child<'_>) -> Result<()> {
    let first = child.container.process.preserve_fds.saturating_add(3);
    sys::close_on_exec_from(first).step("close the launcher's files")
}
