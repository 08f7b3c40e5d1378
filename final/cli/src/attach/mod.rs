//! Being connected to a container: its output to our terminal, our input and signals to it.
//!
//! 1. `frames.rs`: how standard output and standard error share one connection.
//! 2. `input.rs`: reading our standard input without a thread and without changing it for others.
//! 3. `outlet.rs`: writing to our standard output and error without holding everything else up.
//! 4. `terminal.rs`: raw mode, and the promise to leave it; the size.
//! 5. `signals.rs`: passing on what somebody sends to us.
//! 6. `session.rs`: all of it together.

pub(crate) mod frames;
pub(crate) mod input;
pub(crate) mod outlet;
mod session;
pub(crate) mod signals;
pub(crate) mod terminal;

pub(crate) use session::{End, Session};

/// What `attach` and `exec` say to who left with the detach keys. Docker's words and status (1), which scripts look for.
pub(crate) const LEFT: &str = "read escape sequence";
