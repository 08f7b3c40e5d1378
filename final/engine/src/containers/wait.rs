//! Who waits for what: `not-running`, `next-exit`, `removed`.

use std::future::Future;

use bollard_stubs::models::{ContainerWaitExitError, ContainerWaitResponse};

use super::Containers;
use super::container::Life;
use crate::error::{Error, Result};

/// What is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Condition {
    /// Nothing runs, or the program ends, even when a restart policy starts it again.
    #[default]
    NotRunning,
    /// The program ends, once more than so far.
    NextExit,
    /// The container is gone.
    Removed,
}

impl Condition {
    /// Reads docker's word; an empty one is the default.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "" | "not-running" => Ok(Self::NotRunning),
            "next-exit" => Ok(Self::NextExit),
            "removed" => Ok(Self::Removed),
            _ => Err(Error::invalid(format!("invalid condition: \"{text}\""))
                .hint("One of not-running, next-exit, removed.")),
        }
    }

    fn is_met(self, life: &Life, exits_before: u64) -> bool {
        life.gone
            || match self {
                // Also when the restart policy begins anew at once: `attach` and `wait` tell the end that they have seen.
                Self::NotRunning => !life.state.status.is_going() || life.exits > exits_before,
                Self::NextExit => life.exits > exits_before,
                Self::Removed => false,
            }
    }
}

impl Containers {
    /// Waits until `condition` is met. What happens after this call has returned its future is not missed, so a client can
    /// wait first and start then.
    ///
    /// # Errors
    /// 404.
    pub fn wait(
        &self,
        name: &str,
        condition: Condition,
    ) -> Result<impl Future<Output = ContainerWaitResponse> + Send + use<>> {
        let mut life = self.find(name)?.watch();
        let exits = life.borrow().exits;
        Ok(async move {
            // The sender lives in the container: without it there is no container, hence no more exits.
            let state = match life.wait_for(|life| condition.is_met(life, exits)).await {
                Ok(life) => Some(life.state.clone()),
                Err(_) => None,
            };
            let state = state.unwrap_or_else(|| life.borrow().state.clone());
            // Whoever waits for the removal is told of that: the removal went well.
            let error = Some(state.error).filter(|error| !error.is_empty() && condition != Condition::Removed);
            ContainerWaitResponse {
                status_code: state.exit_code.into(),
                error: error.map(|message| ContainerWaitExitError { message: Some(message) }),
            }
        })
    }
}
