//! The mark beside an upper directory that is a whole tree: a file `upper.copied`.

use std::path::{Path, PathBuf};

/// Ending of the file beside the upper directory that says that it is a whole tree.
pub(super) const COPIED: &str = "copied";
/// The same while it is being made: after a crash what is there is half a copy and nobody's work.
pub(super) const COPYING: &str = "copying";

/// Whether this upper directory is a whole tree.
pub(crate) fn is_copied(upper: &Path) -> bool {
    mark(upper, COPIED).exists()
}

/// `upper.copied` beside `upper`.
pub(super) fn mark(upper: &Path, ending: &str) -> PathBuf {
    let name = upper.file_name().unwrap_or_default().to_string_lossy();
    upper.with_file_name(format!("{name}.{ending}"))
}
