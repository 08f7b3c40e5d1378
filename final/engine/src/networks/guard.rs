//! Rules that somebody else took away are put back at once, and not only when the next container starts.

use std::os::fd::AsFd;
use std::sync::Arc;

use super::Networks;
use crate::error::{Error, Result};
use crate::sys::watch_fd;

impl Networks {
    /// Listens for the end of our rules for as long as the engine lives. Must be called in its runtime.
    pub fn guard_rules(self: &Arc<Self>) -> Result<()> {
        let mut watch = self.firewall.watch()?;
        let ready = watch.as_fd().try_clone_to_owned().and_then(watch_fd);
        let ready =
            ready.map_err(|error| Error::internal(format!("cannot listen for changes of nftables: {error}")))?;
        let networks = Arc::clone(self);
        tokio::spawn(async move {
            while let Ok(mut ready) = ready.readable().await {
                ready.clear_ready();
                if watch.is_gone() {
                    let networks = Arc::clone(&networks);
                    let put_back = tokio::task::spawn_blocking(move || networks.put_back_rules()).await;
                    if let Ok(Err(error)) = put_back {
                        tracing::warn!("{error}");
                    }
                }
            }
        });
        Ok(())
    }

    /// Makes the rules again when they are gone and somebody needs them.
    fn put_back_rules(&self) -> Result<()> {
        let state = self.lock();
        let needed = state.networks.values().any(|held| !held.endpoints.is_empty());
        if needed && !self.firewall.is_installed()? {
            tracing::warn!("somebody has taken our rules away (nft flush ruleset): they are put back");
            self.make_rules(&state)?;
        }
        Ok(())
    }
}
