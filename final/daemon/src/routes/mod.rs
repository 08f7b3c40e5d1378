//! The handlers, one file per resource. Each translates: query and body in, one call of the engine, status and body out.

pub(crate) mod absent;
pub(crate) mod archive;
pub(crate) mod containers;
pub(crate) mod exec;
pub(crate) mod images;
pub(crate) mod networks;
pub(crate) mod registry;
pub(crate) mod streams;
pub(crate) mod system;
pub(crate) mod volumes;
