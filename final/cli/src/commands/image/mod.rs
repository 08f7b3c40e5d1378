//! Commands about images.

pub(super) mod history;
pub(super) mod import;
pub(super) mod inspect;
pub(super) mod load;
pub(super) mod ls;
pub(super) mod prune;
pub(super) mod pull;
pub(super) mod push;
pub(super) mod rm;
pub(super) mod save;
pub(super) mod tag;

use crate::client::segment;

/// The path of an image in the API.
pub(super) fn path(name: &str) -> String {
    format!("/images/{}", segment(name))
}
