//! What went wrong: the step, the thing it was done to, the reason, and a way out.
//!
//! A failure is a plain value. It crosses every boundary of the engine unchanged (child to parent over a socket, monitor to
//! daemon, daemon to client) and is printed once, at the top. That is why there is one type for all chapters and not one
//! enumeration per crate: the receiver on the other side of a socket needs the words, not the Rust type.
//!
//! A good failure answers three questions of the person who reads it: what was being done (`step`, `target`), why it did not
//! work (`cause`), what now (`hint`). The number (`errno`) is for programs: an exit status is chosen by it, never by the words.

use std::fmt::{self, Display};
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// The result of every fallible call of the chapters.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// One failed step.
///
/// Printed as `cannot STEP TARGET: CAUSE`, so `step` is a verb phrase that reads well after "cannot"
/// (`mount the overlay at`, `open`). The hint is not part of the text; ask [`Failure::hint`] for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What was being done, a verb phrase: `set the hostname to`.
    pub step: String,
    /// The path or value it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The reason: the text of an errno, or a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The raw errno where the kernel gave one (errno(3)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// What a person can do about it, a full sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure of `step`, with a reason in words.
    pub fn new(step: impl Into<String>, cause: impl Display) -> Self {
        Self { step: step.into(), target: None, cause: Some(cause.to_string()), errno: None, hint: None }
    }

    /// Names the path or value that the step was done to.
    #[must_use]
    pub fn on(mut self, target: impl Display) -> Self {
        self.target = Some(target.to_string());
        self
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what a person can do about it when the kernel's answer was `errno`.
    #[must_use]
    pub fn hint_on(self, errno: rustix::io::Errno, hint: impl Into<String>) -> Self {
        if self.is(errno) { self.hint(hint) } else { self }
    }

    /// Whether the kernel's answer was `errno`.
    pub fn is(&self, errno: rustix::io::Errno) -> bool {
        self.errno == Some(errno.raw_os_error())
    }

    /// The exit status of a program that prints this failure and ends, as docker's: 127 when the container's program was
    /// not found, 126 when it could not be executed, 125 for everything else.
    pub fn exit_status(&self) -> u8 {
        match (self.step.as_str(), self.errno) {
            ("execute", Some(libc::ENOENT)) => 127,
            ("execute", _) => 126,
            _ => 125,
        }
    }

    /// Prints the failure and its hint on standard error, as the last act of the program `name`: the one place in a program
    /// where a failure becomes text.
    pub fn report(&self, name: &str) -> ExitCode {
        eprintln!("{name}: {self}");
        self.hint.iter().for_each(|hint| eprintln!("{hint}"));
        ExitCode::from(self.exit_status())
    }

    /// Keeps the first failure of a teardown and mentions how many followed it. `None` when nothing failed.
    pub fn collect(failures: Vec<Self>) -> Option<Self> {
        let more = failures.len().saturating_sub(1);
        let mut first = failures.into_iter().next()?;
        if more > 0 {
            first.cause = Some(format!("{} (and {more} more failures)", first.cause.unwrap_or_default()));
        }
        Some(first)
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.step)?;
        if let Some(target) = &self.target {
            write!(f, " {target}")?;
        }
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Turns the error of a system call or a library into a [`Failure`] by naming the step it belongs to.
///
/// ```
/// use namespaces::Context;
/// let failure = std::fs::read("/no/such/file").during("read", "/no/such/file").unwrap_err();
/// assert_eq!(failure.to_string(), "cannot read /no/such/file: No such file or directory");
/// ```
pub trait Context<T> {
    /// Names the step and the path or value it was done to.
    fn during(self, step: &str, target: impl Display) -> Result<T>;

    /// Names the step where there is no path or value to name.
    fn step(self, step: &str) -> Result<T>;
}

impl<T, E: Cause> Context<T> for std::result::Result<T, E> {
    fn during(self, step: &str, target: impl Display) -> Result<T> {
        self.map_err(|error| error.failure(step).on(target))
    }

    fn step(self, step: &str) -> Result<T> {
        self.map_err(|error| error.failure(step))
    }
}

/// An error that can be the cause of a [`Failure`].
pub trait Cause {
    /// The failure of `step` for this reason.
    fn failure(&self, step: &str) -> Failure;
}

impl Cause for rustix::io::Errno {
    fn failure(&self, step: &str) -> Failure {
        Failure { errno: Some(self.raw_os_error()), ..Failure::new(step, errno_text(self.raw_os_error())) }
    }
}

impl Cause for nix::errno::Errno {
    fn failure(&self, step: &str) -> Failure {
        Failure { errno: Some(*self as i32), ..Failure::new(step, self.desc()) }
    }
}

impl Cause for std::io::Error {
    fn failure(&self, step: &str) -> Failure {
        match self.raw_os_error() {
            Some(errno) => Failure { errno: Some(errno), ..Failure::new(step, errno_text(errno)) },
            None => Failure::new(step, self),
        }
    }
}

impl Cause for serde_json::Error {
    fn failure(&self, step: &str) -> Failure {
        Failure::new(step, self)
    }
}

/// `ENOENT` as `No such file or directory`.
fn errno_text(errno: i32) -> &'static str {
    nix::errno::Errno::from_raw(errno).desc()
}
