//! [`Phase::Mounts`](crate::Phase::Mounts): mount into the new root.

use crate::failure::Result;
use crate::stage::Child;

/// Each mount is made in the root through descriptors ([`crate::mount`]).
pub(super) fn mount(child: &mut Child<'_>) -> Result<()> {
    let root = child.root()?;
    child.container.mounts.iter().try_for_each(|mount| mount.apply(root))
}
