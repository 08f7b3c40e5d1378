//! What a container changed, read from its upper directory alone.

use std::path::{Path, PathBuf};

use namespaces::Result;
use serde::{Deserialize, Serialize};

/// One changed path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// Absolute path inside the container.
    pub path: PathBuf,
    /// What happened to it.
    pub kind: ChangeKind,
}

/// What happened to a path, by docker's letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ChangeKind {
    /// `C`: it was there before and is different now.
    Changed,
    /// `A`: it is new.
    Added,
    /// `D`: it is gone.
    Deleted,
}

/// The changes of `upper` against the layers below (top one first), sorted by path.
pub fn changes(upper: &Path, lowers: &[PathBuf]) -> Result<Vec<Change>> {
    let _ = (upper, lowers);
    todo!()
}
