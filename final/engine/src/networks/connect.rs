//! Connecting containers with networks, and disconnecting them: a change of their record, and of their namespace when they run.

use bollard_stubs::models::{NetworkConnectRequest, NetworkDisconnectRequest};

use super::Networks;
use super::wanted::Asked;
use crate::engine::Engine;
use crate::error::Result;

impl Engine {
    /// Connects a container with a network.
    ///
    /// # Errors
    /// 404 for a network or container that is not there, 403 when the container has it already, 400 when it has the host's
    /// network, another container's or none; what the network cannot give.
    pub async fn connect_network(&self, name: &str, request: NetworkConnectRequest) -> Result<()> {
        let wish = request.endpoint_config.unwrap_or_default();
        self.containers.connect(&request.container.unwrap_or_default(), name, wish).await
    }

    /// Disconnects a container from a network.
    ///
    /// # Errors
    /// 404 for a network or container that is not there, 403 when the container has not got it.
    pub async fn disconnect_network(&self, name: &str, request: NetworkDisconnectRequest) -> Result<()> {
        let force = request.force == Some(true);
        self.containers.disconnect(&request.container.unwrap_or_default(), name, force).await
    }
}

impl Networks {
    /// Refuses what cannot be connected: a container that has the network already.
    pub fn check_new(&self, asked: Asked<'_>, id: &str) -> Result<()> {
        self.lock().check_new(asked, id)
    }
}
