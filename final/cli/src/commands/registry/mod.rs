//! Commands about registries: who we are to them, and what they have.

pub(super) mod login;
pub(super) mod manifest;
pub(super) mod search;
