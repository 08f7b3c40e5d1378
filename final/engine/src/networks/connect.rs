//! Connecting containers that do not run with networks, and disconnecting them: a change of their record.

use bollard_stubs::models::{NetworkConnectRequest, NetworkDisconnectRequest};

use crate::engine::Engine;
use crate::error::{Error, Result};

impl Engine {
    /// Adds a network to a container's record; it is there from the next start on.
    pub async fn connect_network(&self, name: &str, request: NetworkConnectRequest) -> Result<()> {
        let _ = (name, request);
        Err(Error::unsupported("connecting a container with a network after its creation is not supported yet"))
    }

    /// Takes a network out of a container's record.
    pub async fn disconnect_network(&self, name: &str, request: NetworkDisconnectRequest) -> Result<()> {
        let _ = (name, request);
        Err(Error::unsupported("disconnecting a container from a network is not supported yet"))
    }
}
