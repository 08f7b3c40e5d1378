//! Named volumes (chapter 5).

use std::sync::Arc;

use crate::config::Config;
use crate::error::Result;
use crate::events::Events;

/// Named volumes (chapter 5).
#[derive(Debug)]
pub struct Volumes {
    _events: Arc<Events>,
}

impl Volumes {
    /// Opens the state below the data root.
    pub fn open(_config: &Config, events: &Arc<Events>) -> Result<Self> {
        Ok(Self { _events: Arc::clone(events) })
    }
}
