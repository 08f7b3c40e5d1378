//! How to launch, besides what: descriptors and wishes of one launch, which no plan can have.

use std::os::fd::OwnedFd;

/// What the program's standard input, output and error are.
#[derive(Debug)]
pub enum Stdio {
    /// Those of the launching process.
    Inherit,
    /// Three descriptors: input, output, error.
    Files([OwnedFd; 3]),
    /// A new pseudo-terminal of the container's own devpts; the other end is [`Running::console`](crate::Running::console).
    Terminal,
}

/// How to launch, besides what.
#[derive(Debug, Default)]
pub struct Launch {
    /// Standard input, output, error. `None` inherits.
    pub stdio: Option<Stdio>,
    /// Names of steps and stages to leave out.
    pub without: Vec<String>,
    /// Whether [`Running::timings`](crate::Running::timings) is wanted.
    pub timings: bool,
    /// A FIFO opened read-write: after its last step the child reads one byte of it before it becomes the program
    /// (the OCI runtime's `create` and `start`). [`launch`](crate::launch) then returns when the child begins to wait.
    pub gate: Option<OwnedFd>,
}
