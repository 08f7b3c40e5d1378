//! Commands about volumes.

pub(super) mod create;
pub(super) mod inspect;
pub(super) mod ls;
pub(super) mod prune;
pub(super) mod rm;

use crate::client::segment;

/// The path of a volume in the API.
pub(super) fn path(name: &str) -> String {
    format!("/volumes/{}", segment(name))
}
