//! The engine's side of a monitor: the program is started, or found again; then one task holds the conversation.
//!
//! The conversation is [`skiff_runtime::protocol`]'s: every request is answered by one event, in order; the exit comes unasked.
//! So the task keeps a queue of those who wait for an answer, and everybody else only has a handle to put requests in.

use std::collections::VecDeque;
use std::future::Future;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use namespaces::{Context, Failure};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use skiff_runtime::protocol::{Event, Exit, Request};
use skiff_runtime::{Channel, own_executable};
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};

use crate::sys;

/// The `skiff-runtime` program, opened so that no container can write to it.
///
/// A container's process is for a moment a copy of this program, and root in a container could open `/proc/PID/exe` then and
/// replace it for the whole machine (CVE-2019-5736). Seen through a read-only mount that is in nobody's mount table it
/// cannot be opened for writing. That mount costs nothing, unlike a copy in memory, and it is made once.
#[derive(Debug)]
pub(crate) struct Program {
    fd: OwnedFd,
}

impl Program {
    /// Opens the program at `path`, or beside the running executable.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => beside_us()?,
        };
        let fd = own_executable(&path).map_err(|failure| {
            failure.hint("The program skiff-runtime must be beside skiffd: cargo xtask build makes them all.")
        })?;
        Ok(Self { fd })
    }

    /// Starts a monitor with one end of `Channel` as its standard input. vfork(2) and exec, whatever the engine's size.
    fn spawn(&self) -> Result<(Channel, Child), Failure> {
        let (ours, theirs) = Channel::pair()?;
        ours.set_nonblocking()?;
        let child = Command::new(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))
            .arg0("skiff-runtime")
            .arg("monitor")
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .step("start the monitor")?;
        Ok((ours, child))
    }
}

fn beside_us() -> Result<PathBuf, Failure> {
    let us = std::env::current_exe().step("find our own executable")?;
    Ok(us.with_file_name("skiff-runtime"))
}

/// A handle on a monitor. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Monitor {
    requests: mpsc::UnboundedSender<Asking>,
}

/// What will be heard of a monitor in the end.
#[derive(Debug)]
pub(crate) struct Ending {
    /// How the program ended. An error when the monitor was lost before it could say.
    pub(crate) exit: oneshot::Receiver<Exit>,
    /// The monitor has given back what it held.
    pub(crate) gone: oneshot::Receiver<()>,
}

impl Ending {
    /// The same when the exit has been told already, to a former engine.
    pub(crate) fn or_told(self, exit: Option<Exit>) -> Self {
        let Some(exit) = exit else { return self };
        let (tell, told) = oneshot::channel();
        let _ = tell.send(exit);
        Self { exit: told, gone: self.gone }
    }
}

struct Asking {
    request: Request,
    fds: Vec<OwnedFd>,
    /// `None` for what has no answer.
    answer: Option<oneshot::Sender<Result<Event, Failure>>>,
}

impl Monitor {
    /// Starts a new one.
    pub(crate) fn spawn(program: &Program) -> Result<(Self, Ending), Failure> {
        let (channel, child) = program.spawn()?;
        Self::talk(channel, Some(child))
    }

    /// Finds the one that a former engine has started, by its run directory. `ENOENT` and `ECONNREFUSED` when it is gone.
    pub(crate) fn connect(run: &Path) -> Result<(Self, Ending), Failure> {
        let channel = Channel::connect(run)?;
        channel.set_nonblocking()?;
        Self::talk(channel, None)
    }

    fn talk(channel: Channel, child: Option<Child>) -> Result<(Self, Ending), Failure> {
        let channel = sys::watch_channel(channel).step("wait for the monitor")?;
        let (requests, asked) = mpsc::unbounded_channel();
        let (exit, exited) = oneshot::channel();
        let (gone, ended) = oneshot::channel();
        tokio::spawn(async move {
            converse(channel, asked, exit).await;
            // Now, and not when its process has ended: that waits for the slowest of the attached clients.
            let _ = gone.send(());
            if let Some(child) = child {
                reap(child).await;
            }
        });
        Ok((Self { requests }, Ending { exit: exited, gone: ended }))
    }

    /// Sends one request, with descriptors beside it, now. The answer can be waited for later; `Failed` is an error here, and
    /// so is a monitor that has ended (`ESRCH`).
    pub(crate) fn ask(
        &self,
        request: Request,
        fds: Vec<OwnedFd>,
    ) -> impl Future<Output = Result<Event, Failure>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        // When nobody takes it, the answer's other end is dropped with it.
        let _ = self.requests.send(Asking { request, fds, answer: Some(answer) });
        async move {
            match answered.await.map_err(|_| ended())?? {
                Event::Failed(failure) => Err(failure),
                event => Ok(event),
            }
        }
    }

    /// Sends a message that has no answer of its own.
    pub(crate) fn tell(&self, request: Request, fds: Vec<OwnedFd>) {
        // A monitor that is gone says so to whoever waits for an answer.
        let _ = self.requests.send(Asking { request, fds, answer: None });
    }
}

fn ended() -> Failure {
    Failure { errno: Some(Errno::SRCH.raw_os_error()), ..Failure::new("talk to the monitor", "it has ended") }
}

/// Who waits for what a monitor will say.
struct Listeners {
    answers: VecDeque<oneshot::Sender<Result<Event, Failure>>>,
    exit: Option<oneshot::Sender<Exit>>,
}

impl Listeners {
    /// Tells whoever waits for this event. That nobody does any more is fine.
    fn hear(&mut self, event: Event) {
        match event {
            Event::Exited(how) => {
                let _ = self.exit.take().map(|exit| exit.send(how).is_ok());
            }
            answer => {
                let _ = self.answers.pop_front().map(|waiting| waiting.send(Ok(answer)).is_ok());
            }
        }
    }
}

/// The conversation, until the monitor hangs up, or nobody has a handle any more: a monitor that has not been told everything
/// ends by that.
async fn converse(
    channel: AsyncFd<Channel>,
    mut requests: mpsc::UnboundedReceiver<Asking>,
    exit: oneshot::Sender<Exit>,
) {
    let mut listeners = Listeners { answers: VecDeque::new(), exit: Some(exit) };
    loop {
        tokio::select! {
            asking = requests.recv() => {
                let Some(asking) = asking else { return };
                let sent = send(&channel, &asking).await;
                match (asking.answer, sent) {
                    (Some(answer), Ok(())) => listeners.answers.push_back(answer),
                    // It is gone, and may have said why.
                    (Some(answer), Err(failure)) if failure.is(Errno::PIPE) || failure.is(Errno::CONNRESET) => {
                        listeners.answers.push_back(answer);
                    }
                    (Some(answer), Err(failure)) => {
                        let _ = answer.send(Err(failure));
                    }
                    (None, _) => {}
                }
            }
            event = receive(&channel) => match event {
                Some(event) => listeners.hear(event),
                None => return,
            },
        }
    }
}

async fn send(channel: &AsyncFd<Channel>, asking: &Asking) -> Result<(), Failure> {
    let fds: Vec<_> = asking.fds.iter().map(AsFd::as_fd).collect();
    loop {
        let mut ready = channel.writable().await.step("wait for the monitor")?;
        match channel.get_ref().send(&asking.request, &fds) {
            Err(failure) if failure.is(Errno::AGAIN) => ready.clear_ready(),
            done => return done,
        }
    }
}

/// The next event; `None` when the monitor has hung up, or speaks nonsense.
async fn receive(channel: &AsyncFd<Channel>) -> Option<Event> {
    loop {
        let mut ready = channel.readable().await.ok()?;
        match channel.get_ref().receive() {
            Ok(received) => return received.map(|received| received.message),
            Err(failure) if failure.is(Errno::AGAIN) => ready.clear_ready(),
            Err(failure) => {
                tracing::debug!("a monitor is lost: {failure}");
                return None;
            }
        }
    }
}

/// Waits for the process to be gone, so that it does not stay as a zombie. By its pidfd and not by SIGCHLD: the library that
/// runs here must not reap its user's other children.
async fn reap(mut child: Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pidfd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).and_then(|fd| sys::watch_fd(fd).ok());
    if let Some(pidfd) = pidfd {
        let _ = pidfd.readable().await;
    }
    let _ = child.wait();
}
