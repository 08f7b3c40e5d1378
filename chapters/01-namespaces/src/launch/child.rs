//! The child's side: wait for Go, run the steps, become the program. It never returns to the code it is a copy of.
//!
//! After a fork there are two processes in the middle of one function. The parent's goes on to wait; this one must end either
//! in execve(2) or in _exit(2). An ordinary return, an unwinding panic or exit(3) would run the parent's second half a second
//! time: destructors, buffered output, the removal of temporary files.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rustix::fs::Mode;

use super::init;
use crate::dialogue::{Dialogue, Message, Timing};
use crate::failure::{Context, Failure, Result};
use crate::options::Launch;
use crate::stage::{Child, Phase, Step};
use crate::sys;

/// Runs `steps` and becomes the program. The steps are made here and not before the fork, because they borrow from stages that
/// the parent still has to call.
/// A failure is told to the parent, and the process ends.
pub(super) fn run<'a>(mut child: Child<'a>, options: &Launch, steps: impl FnOnce() -> Vec<Step<'a>>) -> ! {
    let dialogue = child.dialogue;
    // A panic must not unwind into the parent's half of the code.
    let ended = catch_unwind(AssertUnwindSafe(|| live(&mut child, options, steps)));
    let failure = match ended {
        Ok(Err(failure)) => failure,
        Ok(Ok(never)) => match never {},
        Err(_) => Failure::new("start the container", "a bug: the child process panicked"),
    };
    let status = if failure.is(rustix::io::Errno::NOENT) { 127 } else { 126 };
    let text = failure.to_string();
    if dialogue.send(&Message::Failed(failure), None).is_err() {
        // After the gate nobody listens any more; the container's own standard error is what is left.
        let _ = rustix::io::write(rustix::stdio::stderr(), format!("{text}\n").as_bytes());
    }
    sys::exit(status)
}

// ANCHOR: live
/// The child's life, as long as nothing fails: at its end is another program, so there is no value to return.
fn live<'a>(child: &mut Child<'a>, options: &Launch, steps: impl FnOnce() -> Vec<Step<'a>>) -> Result<Infallible> {
    wait_for_go(child.dialogue);
    // Modes of what is made below are what they say; the program gets its own umask in a later step.
    rustix::process::umask(Mode::empty());
    let mut timings = Vec::new();
    let mut steps = steps();
    // They are in the order of their phases.
    let at_start = steps.split_off(steps.partition_point(|step| step.phase < Phase::Start));
    for step in steps {
        let began = Instant::now();
        (step.run)(child)?;
        if options.timings {
            timings.push(Timing { name: step.name.to_owned(), took: began.elapsed() });
        }
    }
    child.dialogue.send(&Message::Ready(timings), None)?;
    if let Some(gate) = &options.gate {
        rustix::io::retry_on_intr(|| rustix::io::read(gate, &mut [0_u8; 1])).step("wait at the gate")?;
    }
    at_start.into_iter().try_for_each(|step| (step.run)(child))?;
    if child.container.init {
        init::fork_program(child)?;
    }
    crate::steps::execute(child)
}
// ANCHOR_END: live

/// Until that word the child touches nothing: in a user namespace without maps it is nobody yet.
///
/// The first word is the parent's. When it is silence instead, the parent has died and nobody wants this container.
fn wait_for_go(dialogue: &Dialogue) {
    if !matches!(dialogue.recv(), Ok(Some((Message::Go, _)))) {
        sys::exit(1);
    }
}
