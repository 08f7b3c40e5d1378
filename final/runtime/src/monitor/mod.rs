//! The monitor: it makes one program from a plan, watches it, and tells how it ended.
//!
//! ```text
//!           Start, Exec              made                     ended
//!  waiting ─────────────▶ making ───────────▶ watching ───────────────────▶ ending ──▶ gone
//!                           │                 │      ▲                        drain output, exit.json, Exited,
//!                           │ failed          └──────┘                        release overlay and cgroup
//!                           ▼                 output, input, log, requests,
//!                         Failed ─▶ gone      daemons that come and go
//! ```
//!
//! 1. `make.rs`: from a plan to a running program.
//! 2. `watch.rs`: the loop, and what it waits for.
//! 3. `stream.rs`, `attached.rs`: the container's streams, and the clients that are connected to them.
//! 4. `lines.rs`, `json_log.rs`, `log.rs`: from bytes to lines, from lines to the log. `forward.rs`, `collector.rs`: to somebody who
//!    collects logs; `syslog.rs`, `journal.rs`: in whose words.
//! 5. `requests.rs`: what a daemon asks in the meantime.
//! 6. `exit.rs`: the status, and the file that keeps it.
//!
//! One thread, one poll(2). The daemon waits for Started, so nothing is done before it that can be done after it.

mod attached;
mod collector;
pub(crate) mod exit;
mod forward;
mod journal;
mod json_log;
mod lines;
mod log;
mod make;
mod requests;
mod stream;
mod syslog;
mod watch;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use namespaces::{Context, Failure, Result};
use rustix::fs::OFlags;

use attached::Attached;
use log::Log;
pub(crate) use make::WorkingDirectory;
use make::{Made, Netns};
use watch::Monitor;

use crate::channel::{Channel, Received};
use crate::plan::{Network, Stdin};
use crate::protocol::{Attach, Event, Request, Started, State};
use crate::sys;

pub use exit::{EXIT_FILE, read_exit};

/// Runs a monitor whose conversation with the daemon is on standard input. Returns when its work is done; what went wrong
/// has been told to the daemon then.
pub fn run() -> Result<()> {
    // Out of the way of what is put on 0, 1 and 2 later, and not inherited by the container.
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).step("take the daemon's socket")?;
    let control = Channel::from(control);
    let Some(received) = control.receive::<Request>()? else { return Ok(()) };
    match begin(received, &control) {
        Ok((monitor, started, places)) => {
            // A daemon that died in the meantime does not change anything: another one will ask.
            let _ = control.send(&Event::Started(started), &[]);
            settle(monitor, control, places.as_ref());
            Ok(())
        }
        Err(failure) => control.send(&Event::Failed(failure), &[]),
    }
}

/// Where a monitor is found, and what it leaves. An exec has one place for both, or none.
struct Places {
    record: PathBuf,
    run: PathBuf,
}

/// Makes what the first request asks for.
fn begin(received: Received<Request>, control: &Channel) -> Result<(Monitor, Started, Option<Places>)> {
    let mut fds = received.fds.into_iter();
    match received.message {
        Request::Start { plan, attach } => {
            let log = Log::open(&plan.log).inspect_err(|_| take_network(plan.network, control))?;
            let netns = match plan.network {
                Network::Container => Netns::None,
                Network::FromFd => fds.next().map_or(Netns::None, Netns::There),
                Network::Coming => Netns::Coming(control.try_clone()?),
            };
            let attached = pair_up(attach, fds)?;
            let made = make::container(&plan, netns)?;
            let places = Places { record: plan.record, run: plan.run };
            let (monitor, started) = watched(plan.id, plan.stdin, made, log, attached);
            Ok((monitor, started, Some(places)))
        }
        Request::Exec { plan, attach } => {
            let attached = pair_up(attach, fds)?;
            let made = make::exec(&plan)?;
            let places = plan.run.map(|run| Places { record: run.clone(), run });
            let (monitor, started) = watched(plan.id, plan.stdin, made, Log::default(), attached);
            Ok((monitor, started, places))
        }
        _ => Err(Failure::new("make a container", "the first request must be Start or Exec")),
    }
}

/// Reads the message about the network before an early end: a socket that is closed with something unread in it takes along the
/// answer that was sent (unix(7): the other side gets `ECONNRESET`).
fn take_network(network: Network, control: &Channel) {
    if network == Network::Coming {
        let _ = control.receive::<Request>();
    }
}

fn watched(id: String, stdin: Stdin, mut made: Made, log: Log, attached: Vec<Attached>) -> (Monitor, Started) {
    let pid = made.running.pid.as_raw_nonzero().get();
    let state = State { id, pid, started_at: Timestamp::now(), exit: None };
    let timings = std::mem::take(&mut made.running.timings);
    let started = Started { pid, started_at: state.started_at, timings };
    let mut monitor = Monitor::new(state, made, stdin, log);
    for client in attached {
        monitor.connect(client);
    }
    (monitor, started)
}

/// One client for each wish and its socket.
fn pair_up(wishes: Vec<Attach>, sockets: impl ExactSizeIterator<Item = OwnedFd>) -> Result<Vec<Attached>> {
    if wishes.len() != sockets.len() {
        let cause = format!("{} clients and {} sockets", wishes.len(), sockets.len());
        return Err(Failure::new("connect the clients", cause));
    }
    Ok(wishes.into_iter().zip(sockets).map(|(wants, socket)| Attached::new(socket, wants)).collect())
}

/// Becomes a process of its own, watches until the end, and clears up.
fn settle(mut monitor: Monitor, control: Channel, places: Option<&Places>) {
    detach();
    monitor.keep(control);
    if let Some(Places { run, .. }) = places {
        monitor.listen(run);
    }
    // The plan, and all that was made from it, is not needed any more.
    sys::trim_memory();
    monitor.watch();
    monitor.end(places.map(|places| places.record.as_path()));
    if let Some(Places { run, .. }) = places {
        remove_socket(run);
    }
    monitor.hang_up();
}

/// Lets go of the daemon's session, directory and terminal. None of it can fail in a way that would matter.
fn detach() {
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    let _ = rustix::thread::set_name(c"skiff-monitor");
    if let Ok(null) = stream::null(OFlags::RDWR) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}

fn remove_socket(run: &Path) {
    // The daemon may have removed the whole directory already.
    let _ = std::fs::remove_file(run.join(crate::channel::SOCKET));
}
