//! What daemon and monitor say to each other.
//!
//! ```text
//! daemon                                        monitor
//! ──────                                        ───────
//! Start{plan, attach} + [netns] + sockets ────▶ makes the container
//! [Network + netns] ───────────────────────────▶ (when it could not come with Start)
//!                          ◀──────────────────── Started{pid, …}   or Failed(failure), and it ends
//! Attach + socket ─────────────────────────────▶
//!                          ◀──────────────────── Done              or Failed(failure), and it goes on
//! Resize, Signal ──────────────────────────────▶
//!                          ◀──────────────────── Done              or Failed(failure)
//! Hello ───────────────────────────────────────▶
//!                          ◀──────────────────── State{pid, …}
//!                          ◀──────────────────── Exited{code, …}   unasked, once, to every connection
//! ```
//!
//! Each request but Network is answered by exactly one event, in order; only [`Event::Exited`] comes unasked, and it is the
//! last. The end of file after it says that the monitor has given back what it held: the overlay, the cgroup, the socket.
//! A daemon that was restarted connects to `monitor.sock` ([`crate::Channel::connect`]), says Hello, and has the same
//! conversation as the one before it. Start and Exec are understood once, on the connection that a monitor is born with.

use jiff::Timestamp;
use namespaces::{Failure, Timing};
use serde::{Deserialize, Serialize};

use crate::plan::{ExecPlan, Plan};

/// What a daemon asks of a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Make this container. Descriptors: the network namespace when the plan says
    /// [`crate::plan::Network::FromFd`], then one socket for each of `attach`.
    Start {
        /// The container.
        plan: Box<Plan>,
        /// Who is attached before the program writes its first byte.
        #[serde(default)]
        attach: Vec<Attach>,
    },
    /// The rest of a Start whose plan says [`crate::plan::Network::Coming`]. Descriptor: the network namespace. It has no
    /// answer of its own.
    Network,
    /// Run a second process in a container. Descriptors: one socket for each of `attach`.
    Exec {
        /// The process.
        plan: Box<ExecPlan>,
        /// Who is attached from the first byte.
        #[serde(default)]
        attach: Vec<Attach>,
    },
    /// Connect one more client. Descriptor: its socket.
    Attach(Attach),
    /// The client's terminal has this size now: columns, rows (docker's `w`, `h`).
    Resize {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// Send a signal, by number, to the container's first process.
    Signal {
        /// `15` for SIGTERM, see signal(7).
        signo: i32,
    },
    /// How is it?
    Hello,
}

/// Which streams a client wants on its socket.
///
/// The socket is a `SOCK_STREAM` one. Without a terminal the monitor writes docker's frames on it: one byte of stream (1
/// output, 2 error), three zero bytes, four bytes of big-endian length, the data. With a terminal it writes the bytes as
/// they are. What the client writes goes to standard input; half-closing (shutdown(2), `SHUT_WR`) ends it.
/// The monitor closes the socket after the last byte of output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attach {
    /// Whether what the client writes goes to standard input.
    pub stdin: bool,
    /// Whether standard output (or the terminal) is wanted.
    pub stdout: bool,
    /// Whether standard error is wanted.
    pub stderr: bool,
}

/// What a monitor says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The program runs: answer to Start and Exec.
    Started(Started),
    /// The request was carried out: answer to Attach, Resize, Signal.
    Done,
    /// The request failed. After Start and Exec nothing is left of the container and the monitor ends; otherwise the
    /// container runs on.
    Failed(Failure),
    /// Answer to Hello.
    State(State),
    /// The program has ended, all its output was handed on, `exit.json` is written.
    Exited(Exit),
}

/// The program runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its process id, in the monitor's pid namespace.
    pub pid: i32,
    /// When its first instruction ran, nearly.
    pub started_at: Timestamp,
    /// How long each step took, when the plan asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timings: Vec<Timing>,
}

/// How a container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The container's id.
    pub id: String,
    /// Process id of its first process, in the monitor's pid namespace.
    pub pid: i32,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended, when it has: the monitor is on its way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
}

/// How a program ended. The same value is the text of `exit.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit status, or 128 + the signal that ended it.
    pub code: i32,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of the container for want of memory.
    pub oom_killed: bool,
    /// Why output is missing from the log, when the disk was full: the first failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_failure: Option<Failure>,
    /// When the monitor noticed.
    pub finished_at: Timestamp,
}
