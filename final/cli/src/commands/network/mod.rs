//! Commands about networks.

pub(super) mod connect;
pub(super) mod create;
pub(super) mod inspect;
pub(super) mod ls;
pub(super) mod prune;
pub(super) mod rm;

use crate::client::segment;

/// The path of a network in the API.
pub(super) fn path(name: &str) -> String {
    format!("/networks/{}", segment(name))
}
