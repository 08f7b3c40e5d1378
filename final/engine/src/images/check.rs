//! `skiff system check`: chapter 6 looks whether everything in the store is what its name says. Docker has no such request.

use serde::Serialize;

use crate::engine::Engine;
use crate::error::Result;

/// What a check has found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Check {
    /// Images that are whole.
    pub images: usize,
    /// Blobs that were hashed.
    pub blobs: usize,
    /// Layers that were compared with their archives.
    pub layers: usize,
    /// Bytes that were read for it.
    pub bytes: u64,
    /// A sentence for each thing that is not as it should be. Empty when all is well.
    pub problems: Vec<String>,
    /// Digests of blobs and layers that nobody needed, and that are gone.
    pub removed: Vec<String>,
    /// Bytes that those took.
    pub space_reclaimed: u64,
}

impl Engine {
    /// Hashes every blob and compares every layer; removes what nobody needs. Takes minutes where there are many images.
    pub async fn check(&self) -> Result<Check> {
        self.blocking(|engine| {
            let store = &engine.images.store;
            store.collect(&engine.images_in_use())?;
            let found = store.check()?;
            Ok(Check {
                images: found.images,
                blobs: found.blobs,
                layers: found.layers,
                bytes: found.bytes,
                problems: found.problems.iter().map(ToString::to_string).collect(),
                removed: found.swept.digests.iter().map(ToString::to_string).collect(),
                space_reclaimed: found.swept.bytes,
            })
        })
        .await
    }
}
