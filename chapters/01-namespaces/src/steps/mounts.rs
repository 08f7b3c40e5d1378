//! [`Phase::Mounts`](crate::Phase::Mounts): mount into the new root.
//!
//! A new mount namespace is a copy: the container begins with all mounts of the host and, so far, none of its own. The
//! kernel's file systems are not directories that could be copied along. Each shows the namespaces of whoever mounts it:
//! procfs the processes of a pid namespace, sysfs the interfaces of a network namespace, mqueue the queues of an IPC
//! namespace. So they are mounted here, by the child, that is in those namespaces already.

use crate::failure::Result;
use crate::mount::{Attributes, Mount, Source};
use crate::stage::Child;

/// Each mount is made in the root through descriptors ([`crate::mount`]), in the order of the list: a later one may lie on
/// an earlier one, and may hide it.
///
/// A new tmpfs that shall be read-only is empty and would stay so: it is made writable, for what lies on it (`/dev/pts` on
/// `/dev`) and in it (devices), and becomes read-only with the root ([`super::restrict`]).
///
/// Left out (`--without mount`), the container has an empty `/proc`, and `ps` shows nothing.
pub(super) fn mount(child: &mut Child<'_>) -> Result<()> {
    let mut filling = Vec::new();
    let root = child.root()?;
    for (index, mount) in child.container.mounts.iter().enumerate() {
        match &mount.source {
            Source::New { kind, .. } if kind == "tmpfs" && mount.attributes.readonly => {
                let attributes = Attributes { readonly: false, ..mount.attributes };
                Mount { attributes, ..mount.clone() }.apply(root)?;
                filling.push(root.resolve(&mount.target)?);
            }
            _ => child.mapped.apply(index, mount, root)?,
        }
    }
    child.filling = filling;
    Ok(())
}
