//! What is remembered of a volume: `volume.json`, beside its data, readable by a person.
//!
//! ```json
//! {
//!   "name": "data",
//!   "driver": "local",
//!   "labels": { "tier": "db" },
//!   "options": {},
//!   "created_at": "2026-01-31T12:00:00Z",
//!   "anonymous": false
//! }
//! ```
//!
//! A field that an older engine did not write has a default, so that its volumes are still volumes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A volume that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name, unique in its store.
    pub name: String,
    /// Who keeps it: the name of a [`crate::Driver`].
    pub driver: String,
    /// Labels it was made with.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Driver options it was made with.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether its name was made up: it goes with the container that it was made for (`docker rm -v`, `run --rm`).
    #[serde(default)]
    pub anonymous: bool,
    /// The directory with its data, absolute. Not in the record: the store can be moved.
    #[serde(skip)]
    pub data: PathBuf,
}

/// A volume to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewVolume {
    /// `None` is an anonymous one: 64 random hexadecimal digits.
    pub name: Option<String>,
    /// Empty is `local`.
    pub driver: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Driver options.
    pub options: BTreeMap<String, String>,
}
