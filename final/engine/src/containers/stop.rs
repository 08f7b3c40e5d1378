//! Stop, kill, restart, rename.

use std::sync::Arc;
use std::time::Duration;

use skiff_runtime::protocol::Request;

use super::container::Container;
use super::explain::Measure;
use super::record::Status;
use super::{Containers, blocking, marked_for_removal, signal, whole};
use crate::error::{Error, Kind, Result};

/// Seconds that `stop` waits unless the request or the image says otherwise.
const PATIENCE: i64 = 10;
/// How long SIGKILL may take: longer only when a process hangs in the kernel.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

impl Containers {
    /// Asks the program to end, by its stop signal or `with`, and kills it when it has not after `timeout` seconds; -1 is for
    /// ever.
    ///
    /// # Errors
    /// 304 when nothing runs.
    pub async fn stop(&self, name: &str, with: Option<&str>, timeout: Option<i64>) -> Result<()> {
        let container = self.find(name)?;
        let with = with.map(signal::parse).transpose()?;
        if !container.status().is_going() {
            return Err(Error::not_modified("Container already stopped"));
        }
        container.change(|life| life.state.stopped = true);
        let this = self.clone();
        whole(async move {
            this.end(&container, with, timeout).await?;
            this.tell(&container, "stop", &[]);
            Ok(())
        })
        .await
    }

    /// Sends a signal, SIGKILL unless told otherwise. SIGKILL is waited for.
    ///
    /// # Errors
    /// 409 when nothing runs.
    pub async fn kill(&self, name: &str, with: Option<&str>) -> Result<()> {
        let missing =
            |error: Error| Error { message: format!("cannot kill container: {name}: {}", error.message), ..error };
        let container = self.find(name).map_err(missing)?;
        let signo = with.filter(|text| !text.is_empty()).map(signal::parse).transpose()?.unwrap_or(SIGKILL);
        let ends = signo == SIGKILL || signo == stop_signal(&container)?;
        // One that is about to start again counts as running: it is called off instead.
        if ends && container.status() == Status::Restarting && self.call_off(&container).await {
            container.change(|life| life.state.stopped = true);
            return Ok(());
        }
        if !container.status().has_process() {
            let id = &container.id;
            return Err(Error::conflict(format!("cannot kill container: {name}: container {id} is not running")));
        }
        if ends {
            // Its restart policy shall not undo this.
            container.change(|life| life.state.stopped = true);
        }
        self.send(&container, signo).await?;
        if signo == SIGKILL {
            self.gone_within(&container, Some(KILL_PATIENCE)).await;
        }
        Ok(())
    }

    /// Stops what runs, and starts the container.
    pub async fn restart(&self, name: &str, with: Option<&str>, timeout: Option<i64>) -> Result<()> {
        let (this, container) = (self.clone(), self.find(name)?);
        let with = with.map(signal::parse).transpose()?;
        whole(async move {
            container.change(|life| life.held = true);
            let ended = this.end(&container, with, timeout).await;
            let _turn = container.turn.lock().await;
            container.change(|life| {
                life.held = false;
                (life.state.restarts, life.state.stopped) = (0, false);
            });
            ended?;
            if !container.status().has_process() {
                this.launch(&container, Measure::No).await?;
            }
            this.tell(&container, "restart", &[]);
            Ok(())
        })
        .await
    }

    /// Gives a container another name.
    pub async fn rename(&self, name: &str, new: &str) -> Result<()> {
        let (this, container, new) = (self.clone(), self.find(name)?, new.to_owned());
        if new.is_empty() {
            return Err(Error::invalid("Neither old nor new names may be empty"));
        }
        whole(async move {
            let _turn = container.turn.lock().await;
            if container.watch().borrow().removing {
                return Err(marked_for_removal(&container));
            }
            let old = container.name();
            if new.trim_start_matches('/') == old {
                return Err(Error::invalid("renaming a container with the same name as its current name"));
            }
            let new = this.index().reserve(Some(&new), &container.id)?;
            let (renamed, given) = (Arc::clone(&container), new.clone());
            if let Err(error) = blocking(move || renamed.ask(|asked| asked.name = given)).await {
                this.index().release(&new);
                return Err(error);
            }
            this.index().release(&old);
            if let Some(network) = container.state().network {
                let network = this.shared.networks.rename(&network, &old, &new);
                container.change(|life| life.state.network = Some(network));
                container.keep();
            }
            this.tell(&container, "rename", &[("oldName", format!("/{old}"))]);
            Ok(())
        })
        .await
    }

    /// Brings the program to its end: by a signal, then by force. What does not run has come to it already.
    pub(super) async fn end(&self, container: &Arc<Container>, with: Option<i32>, timeout: Option<i64>) -> Result<()> {
        if self.call_off(container).await {
            return Ok(());
        }
        let signo = with.map_or_else(|| stop_signal(container), Ok)?;
        let seconds = timeout.or(container.asked().config.stop_timeout).unwrap_or(PATIENCE);
        let patience = u64::try_from(seconds).ok().map(Duration::from_secs);
        self.send(container, signo).await?;
        if self.gone_within(container, patience).await {
            return Ok(());
        }
        self.send(container, SIGKILL).await?;
        if self.gone_within(container, Some(KILL_PATIENCE)).await {
            return Ok(());
        }
        Err(Error::internal(format!("container {} does not end: a process of it hangs in the kernel", container.id)))
    }

    /// Calls off a start that the restart policy has planned. Whether there was one.
    async fn call_off(&self, container: &Arc<Container>) -> bool {
        let _turn = container.turn.lock().await;
        if container.status() != Status::Restarting {
            return !container.status().has_process();
        }
        container.change(|life| life.state.status = Status::Exited);
        container.keep();
        true
    }

    /// Sends a signal to the first process. A frozen one is thawed for it, or it would never notice: after SIGKILL whatever
    /// the record says, because a pause may be under way, or an engine have died in one.
    async fn send(&self, container: &Arc<Container>, signo: i32) -> Result<()> {
        container.change(|life| life.killed |= signo == SIGKILL);
        self.tell(container, "kill", &[("signal", signo.to_string())]);
        let sent = container.monitor()?.ask(Request::Signal { signo }, Vec::new()).await;
        match sent {
            Ok(_) => {}
            // It has ended in this moment.
            Err(_) if !container.status().has_process() => return Ok(()),
            Err(failure) if failure.is(rustix::io::Errno::SRCH) => return Ok(()),
            Err(failure) => return Err(failure.into()),
        }
        if signo == SIGKILL || (container.status() == Status::Paused && signo == stop_signal(container)?) {
            match self.thaw(container).await {
                // The signal has done its work: there is nothing left to thaw.
                Err(error) if error.kind == Kind::Conflict => {}
                thawed => thawed?,
            }
        }
        Ok(())
    }

    /// Whether the program ends within `patience`, and all that follows from its end is done. `None` is for ever.
    async fn gone_within(&self, container: &Arc<Container>, patience: Option<Duration>) -> bool {
        let mut life = container.watch();
        let ended = life.wait_for(|life| !life.state.status.has_process() || life.gone);
        let ended = match patience {
            Some(patience) => tokio::time::timeout(patience, ended).await.is_ok(),
            None => ended.await.is_ok(),
        };
        if ended {
            drop(container.turn.lock().await);
        }
        ended
    }
}

fn stop_signal(container: &Container) -> Result<i32> {
    let asked = container.asked();
    let text = asked.config.stop_signal.as_deref().filter(|text| !text.is_empty());
    text.map_or(Ok(SIGTERM), signal::parse)
}
