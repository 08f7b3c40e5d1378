//! What a daemon asks while the container runs.

use std::os::fd::OwnedFd;

use namespaces::{Context, Failure, Result};
use rustix::io::Errno;

use super::attached::Attached;
use super::watch::Monitor;
use crate::channel::Received;
use crate::protocol::{Attach, Event, Request};
use crate::sys;

impl Monitor {
    /// Answers one request of a daemon, or lets go of a daemon that has gone.
    pub(super) fn hear(&mut self, index: usize) {
        let Some(daemon) = self.daemons.get(index) else { return };
        let answer = match daemon.receive::<Request>() {
            Ok(Some(Received { message, fds })) => self.answer(&message, fds),
            Err(failure) if failure.is(Errno::AGAIN) || failure.is(Errno::INTR) => return,
            // The end, or a broken connection. Nonsense is answered below: its errno is none.
            Ok(None) => return drop(self.daemons.remove(index)),
            Err(failure) if failure.errno.is_some() => return drop(self.daemons.remove(index)),
            Err(failure) => Event::Failed(failure),
        };
        let sent = self.daemons.get(index).map(|daemon| daemon.send(&answer, &[]));
        if !matches!(sent, Some(Ok(()))) {
            self.daemons.remove(index);
        }
    }

    fn answer(&mut self, request: &Request, fds: Vec<OwnedFd>) -> Event {
        let done = match *request {
            Request::Hello => return Event::State(self.state.clone()),
            Request::Attach(wants) => self.attach(wants, fds),
            Request::Resize { width, height } => self.ends.resize(width, height),
            Request::Signal { signo } => self.signal(signo),
            Request::Start { .. } | Request::Network | Request::Exec { .. } => {
                Err(Failure::new("make a container", "this monitor has one already"))
            }
        };
        done.map_or_else(Event::Failed, |()| Event::Done)
    }

    fn attach(&mut self, wants: Attach, fds: Vec<OwnedFd>) -> Result<()> {
        let [socket] = <[OwnedFd; 1]>::try_from(fds)
            .map_err(|fds| Failure::new("attach", format!("one socket must come along, not {}", fds.len())))?;
        self.connect(Attached::new(socket, wants));
        Ok(())
    }

    fn signal(&self, signo: i32) -> Result<()> {
        sys::pidfd_send_signal(&self.pidfd, signo).during("send the signal", signo)
    }
}
