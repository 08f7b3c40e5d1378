//! Networks, addresses and ports (chapter 4).

use std::sync::Arc;

use crate::config::Config;
use crate::error::Result;
use crate::events::Events;

/// Networks, addresses and ports (chapter 4).
#[derive(Debug)]
pub struct Networks {
    _events: Arc<Events>,
}

impl Networks {
    /// Opens the state below the data root.
    pub fn open(_config: &Config, events: &Arc<Events>) -> Result<Self> {
        Ok(Self { _events: Arc::clone(events) })
    }
}
