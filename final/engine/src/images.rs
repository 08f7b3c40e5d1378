//! Images and layers (chapter 6).

use std::sync::Arc;

use crate::config::Config;
use crate::error::Result;
use crate::events::Events;

/// Images and layers (chapter 6).
#[derive(Debug)]
pub struct Images {
    _events: Arc<Events>,
}

impl Images {
    /// Opens the state below the data root.
    pub fn open(_config: &Config, events: &Arc<Events>) -> Result<Self> {
        Ok(Self { _events: Arc::clone(events) })
    }
}
