//! Connecting containers that do not run with networks, and disconnecting them: a change of their record. It is there from the
//! next start on.

use bollard_stubs::models::{NetworkConnectRequest, NetworkDisconnectRequest};

use crate::engine::Engine;
use crate::error::{Error, Result};

impl Engine {
    /// Adds a network to a container's record.
    ///
    /// # Errors
    /// 404 for a network or container that is not there, 403 when the container has it already, 501 when the container runs.
    pub async fn connect_network(&self, name: &str, request: NetworkConnectRequest) -> Result<()> {
        self.networks.check(name)?;
        let wish = request.endpoint_config.unwrap_or_default();
        let network = name.to_owned();
        self.containers
            .change_networks(&request.container.unwrap_or_default(), move |container, networks| {
                if networks.contains_key(&network) {
                    return Err(Error::forbidden(format!(
                        "endpoint with name {container} already exists in network {network}"
                    )));
                }
                networks.insert(network, wish);
                Ok(())
            })
            .await
    }

    /// Takes a network out of a container's record.
    ///
    /// # Errors
    /// 404 for a network or container that is not there, 403 when the container has not got it, 501 when the container runs.
    pub async fn disconnect_network(&self, name: &str, request: NetworkDisconnectRequest) -> Result<()> {
        self.networks.check(name)?;
        let network = name.to_owned();
        self.containers
            .change_networks(&request.container.unwrap_or_default(), move |container, networks| {
                networks.remove(&network).map(drop).ok_or_else(|| {
                    Error::forbidden(format!("container {container} is not connected to network {network}"))
                })
            })
            .await
    }
}
