//! What may change while the engine runs: dockerd's SIGHUP.

use std::sync::{Arc, PoisonError};

use bollard_stubs::models::EventMessageTypeEnum;

use crate::engine::Engine;
use crate::error::Result;
use crate::events::Attributes;

/// The settings that are looked at whenever they are needed. Everything else of [`crate::Config`] holds until the engine ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// The engine's own labels (`--label`), as `KEY=VALUE`.
    pub labels: Vec<String>,
    /// As in [`crate::Config::registry_mirrors`].
    pub registry_mirrors: Vec<String>,
    /// As in [`crate::Config::insecure_registries`].
    pub insecure_registries: Vec<String>,
}

impl Engine {
    /// What holds now.
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets `live` hold from now on, and tells all who listen to events; `more` is what they hear besides. Pulls that have begun
    /// go on as they began.
    ///
    /// # Errors
    /// The engine's identity, which the event names, cannot be read.
    pub fn reload(&self, live: Live, more: Attributes) -> Result<()> {
        self.images.talk_to(&live);
        let list = |values: &[String]| serde_json::to_string(values).unwrap_or_default();
        let mut attributes: Attributes = [
            ("name", rustix::system::uname().nodename().to_string_lossy().into_owned()),
            ("labels", list(&live.labels)),
            ("registry-mirrors", list(&live.registry_mirrors)),
            ("insecure-registries", list(&live.insecure_registries)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        attributes.extend(more);
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(live);
        self.events.emit(EventMessageTypeEnum::DAEMON, "reload", &self.identity()?, attributes);
        Ok(())
    }
}
