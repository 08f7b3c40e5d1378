//! Our terminal: its size, raw mode, and the promise to leave raw mode however the program ends.

use std::io::{self, IsTerminal as _};
use std::sync::Mutex;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use crate::error::{Error, Result, reason};

/// How the terminal was before raw mode. Global, because also a panic and a signal must find it.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Raw mode for as long as this lives: keys go to the program inside as they are, Ctrl-C included (termios(3)).
pub(crate) struct Raw(());

impl Raw {
    /// Enters raw mode when standard input is a terminal.
    pub(crate) fn enter() -> Result<Option<Self>> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        let failed = |error: rustix::io::Errno| {
            Error::new(format!("cannot set the terminal to raw mode: {}", reason(&io::Error::from(error))))
        };
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        if let Ok(mut place) = BEFORE.lock() {
            *place = Some(before);
        }
        std::panic::set_hook(Box::new(|panic| {
            restore();
            eprintln!("{panic}");
        }));
        tcsetattr(io::stdin(), OptionalActions::Flush, &raw).map_err(failed)?;
        Ok(Some(Self(())))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// Leaves raw mode, if we are in it.
pub(crate) fn restore() {
    if let Ok(mut place) = BEFORE.lock()
        && let Some(before) = place.take()
    {
        // There is nobody left to tell when even this fails.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
    }
}

/// Rows and columns of the terminal on standard output; `None` when it is none.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Docker's refusal of `-t` with an input that is no terminal.
pub(crate) fn check(attached_input: bool, tty: bool) -> Result<()> {
    if attached_input && tty && !io::stdin().is_terminal() {
        return Err(
            Error::new("the input device is not a TTY").hint("Leave out -t when input comes from a pipe or file.")
        );
    }
    Ok(())
}
