//! Other networks for a container that does not run.

use super::{Containers, whole};
use crate::error::{Error, Result};
use crate::networks::Wishes;

impl Containers {
    /// Changes a container's networks in its record. `change` is told the container's name.
    ///
    /// # Errors
    /// 501 when it runs; what `change` says.
    pub(crate) async fn change_networks(
        &self,
        name: &str,
        change: impl FnOnce(&str, &mut Wishes) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let container = self.find(name)?;
        whole(async move {
            let _turn = container.turn.lock().await;
            if container.status().is_going() {
                return Err(Error::unsupported("Skiff does not change the networks of a running container yet")
                    .hint("Stop it first, or name its networks when it is created."));
            }
            let asked = container.asked();
            let mut networks = asked.networks.clone();
            change(&asked.name, &mut networks)?;
            // The network of `NetworkMode` is claimed whatever the list says, so it must be one of the list: compose takes a
            // container out of its only network and puts it in again.
            let mode = asked.host.network_mode.clone().unwrap_or_default();
            let lost = !networks.contains_key(&mode) && (asked.networks.contains_key(&mode) || mode == "none");
            let next = networks.keys().min().cloned().unwrap_or_else(|| "none".to_owned());
            container.ask(|asked| {
                asked.networks = networks;
                if lost {
                    asked.host.network_mode = Some(next);
                }
            })
        })
        .await
    }
}
