//! Waiting for a container in the foreground: signals are passed on to it, and its terminal is shown on ours.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use namespaces::{Context, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags};
use rustix::termios::{OptionalActions, Termios};

use crate::sys;

/// Signals come as data, from [`Foreground::begin`] on.
pub(crate) struct Foreground {
    signals: SignalFd,
}

impl Foreground {
    /// Holds all signals back and opens the descriptor that they are read from.
    pub(crate) fn begin() -> Result<Self> {
        let all = SigSet::all();
        all.thread_set_mask().step("hold signals back")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self { signals: SignalFd::with_flags(&all, flags).step("open a descriptor for signals")? })
    }

    /// Waits for the end of the process.
    pub(crate) fn wait(self, pidfd: &OwnedFd, console: Option<OwnedFd>) -> Result<()> {
        match console {
            None => self.wait_without_terminal(pidfd),
            Some(console) => {
                let relay = Relay::begin(console)?;
                self.wait_with_terminal(pidfd, &relay)
            }
        }
    }

    fn wait_without_terminal(&self, pidfd: &OwnedFd) -> Result<()> {
        while !wait_for([pidfd.as_fd(), self.signals.as_fd()])?[0] {
            self.pass_on(pidfd, None);
        }
        Ok(())
    }

    fn wait_with_terminal(&self, pidfd: &OwnedFd, relay: &Relay) -> Result<()> {
        let mut input_open = true;
        loop {
            // A closed input stays readable; it is not asked again.
            let input = if input_open { rustix::stdio::stdin() } else { pidfd.as_fd() };
            let [ended, signals, output, typed] =
                wait_for([pidfd.as_fd(), self.signals.as_fd(), relay.console.as_fd(), input])?;
            if output {
                copy(relay.console.as_fd(), rustix::stdio::stdout());
            }
            if typed && input_open && !ended {
                input_open = copy(rustix::stdio::stdin(), relay.console.as_fd());
                if !input_open {
                    // A terminal has no end; this character says the same (termios(3), VEOF).
                    let _ = rustix::io::write(&relay.console, b"\x04");
                }
            }
            if signals {
                self.pass_on(pidfd, Some(relay));
            }
            if ended {
                while wait_for_now(relay.console.as_fd()) && copy(relay.console.as_fd(), rustix::stdio::stdout()) {}
                return Ok(());
            }
        }
    }

    /// Everything but what concerns only us: the end of a child, and the size of our window.
    fn pass_on(&self, pidfd: &OwnedFd, relay: Option<&Relay>) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let signo = info.ssi_signo.cast_signed();
            match Signal::try_from(signo) {
                Ok(Signal::SIGCHLD | Signal::SIGURG) => {}
                Ok(Signal::SIGWINCH) => {
                    let _ = relay.map(Relay::resize);
                }
                // Fails only when it has ended, which is noticed next.
                _ => drop(sys::pidfd_send_signal(pidfd, signo)),
            }
        }
    }
}

/// Our terminal, raw, connected to the container's.
struct Relay {
    console: OwnedFd,
    before: Option<Termios>,
}

impl Relay {
    fn begin(console: OwnedFd) -> Result<Self> {
        // What is no terminal is a pipe or a file, and needs no change.
        let before = rustix::termios::tcgetattr(rustix::stdio::stdin()).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &raw)
                .step("switch the terminal to raw mode")?;
        }
        let relay = Self { console, before };
        relay.resize();
        Ok(relay)
    }

    fn resize(&self) {
        if let Ok(size) = rustix::termios::tcgetwinsize(rustix::stdio::stdin()) {
            let _ = rustix::termios::tcsetwinsize(&self.console, size);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = rustix::termios::tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Copies what there is; false at the end.
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    let mut buffer = [0; 4096];
    let Ok(read @ 1..) = rustix::io::read(from, &mut buffer) else { return false };
    let mut rest = buffer.get(..read).unwrap_or_default();
    while let Ok(written @ 1..) = rustix::io::write(to, rest) {
        rest = rest.get(written..).unwrap_or_default();
    }
    true
}

/// Which of the descriptors are readable, or at their end.
fn wait_for<const N: usize>(fds: [BorrowedFd<'_>; N]) -> Result<[bool; N]> {
    let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
    rustix::io::retry_on_intr(|| rustix::event::poll(&mut fds, None)).step("wait for the container")?;
    Ok(fds.map(|fd| !fd.revents().is_empty()))
}

fn wait_for_now(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    let now = rustix::event::Timespec::default();
    rustix::event::poll(&mut fds, Some(&now)).is_ok_and(|ready| ready > 0)
}
