//! The launcher's side of a container that runs in the foreground: pass on what is typed, what is shown, and signals, until
//! the program has ended.
//!
//! Only the chapters' own programs wait like this. In the engine the client is another process, on another machine perhaps,
//! and the monitor does the same over a socket.
//!
//! Two terminals are involved. Ours, with the keyboard, is put in *raw* mode: it hands every key on, at once and unseen. The
//! container's is the one that makes sense of them: it echoes, edits lines, turns ^C into a signal to the program.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use crate::failure::{Context, Failure, Result};
use crate::launch::Running;

/// Signals that a person or a service sends to the launcher and means for the program.
const FORWARDED: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

impl Running {
    /// Waits for the program's end, as its foreground: signals are forwarded, and with a terminal what is typed and shown.
    /// Returns its exit status, 128 + N when signal N ended it, as a shell reports it.
    pub fn wait(&self) -> Result<u8> {
        let _raw = self.console.as_ref().and_then(|_| Raw::enter());
        let mut relay = Relay::new(self)?;
        while !relay.turn()? {}
        let ended = waitid(WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED).step("wait for the program")?;
        let status = ended.ok_or_else(|| Failure::new("wait for the program", "it has not ended"))?;
        let code = status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal));
        Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
    }
}

/// What is listened to while the program runs.
///
/// With a terminal there are two directions, and each has its own end: nothing more is typed when our standard input ends, and
/// nothing more is shown when the last program has closed the container's terminal.
struct Relay<'a> {
    running: &'a Running,
    signals: SignalFd,
    typing: bool,
    showing: bool,
}

impl<'a> Relay<'a> {
    fn new(running: &'a Running) -> Result<Self> {
        let mut mask: SigSet = FORWARDED.into_iter().collect();
        mask.add(Signal::SIGWINCH);
        mask.thread_block().step("block signals")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&mask, flags).step("listen for signals")?;
        let terminal = running.console.is_some();
        let relay = Self { running, signals, typing: terminal, showing: terminal };
        relay.resize();
        Ok(relay)
    }

    /// Waits until something happens (poll(2)) and passes it on. `true` when the program has ended and all it wrote is shown.
    fn turn(&mut self) -> Result<bool> {
        let console = self.running.console.as_ref();
        // A descriptor that is not listened to is replaced by one that asks for nothing.
        let listen = |wanted: bool| if wanted { PollFlags::IN } else { PollFlags::empty() };
        let outer = console.map_or(self.running.pidfd.as_fd(), AsFd::as_fd);
        let mut files = [
            PollFd::from_borrowed_fd(self.running.pidfd.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(outer, listen(self.showing)),
            PollFd::from_borrowed_fd(stdin(), listen(self.typing)),
        ];
        match poll(&mut files, None) {
            Err(Errno::INTR) => return Ok(false),
            ready => ready.step("wait for the program")?,
        };
        let [ended, signalled, shown, typed] = files.each_ref().map(|file| !file.revents().is_empty());
        if signalled {
            self.forward();
        }
        if let Some(console) = console {
            self.typing = self.typing && (!typed || copy(stdin(), console.as_fd()));
            self.showing = self.showing && (!shown || copy(console.as_fd(), stdout()));
        }
        Ok(ended && !(self.showing && shown))
    }

    /// Signals as data (signalfd(2)): no handler runs in the middle of anything. A change of size becomes the container's.
    fn forward(&self) {
        while let Ok(Some(got)) = self.signals.read_signal() {
            let number = i32::try_from(got.ssi_signo).unwrap_or_default();
            if number == Signal::SIGWINCH as i32 {
                self.resize();
            } else if let Some(signal) = rustix::process::Signal::from_named_raw(number) {
                // Fails when the program has ended, which is noticed soon enough.
                let _ = pidfd_send_signal(&self.running.pidfd, signal);
            }
        }
    }

    /// Gives the container's terminal the size of ours, if we have one.
    fn resize(&self) {
        if let (Some(console), Ok(size)) = (&self.running.console, tcgetwinsize(stdin())) {
            let _ = tcsetwinsize(console, size);
        }
    }
}

/// One read, and all of it written. `false` at the end of file, or when the other side is gone (`EIO` from a pty).
fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> bool {
    let mut buffer = [0_u8; 4096];
    let length = match rustix::io::read(from, &mut buffer) {
        Ok(0) => return false,
        Err(errno) => return matches!(errno, Errno::INTR | Errno::AGAIN),
        Ok(length) => length,
    };
    let mut left = buffer.get(..length).unwrap_or_default();
    while !left.is_empty() {
        match rustix::io::write(to, left) {
            Ok(written) => left = left.get(written..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    true
}

/// Our own terminal in raw mode (termios(3)), so that every key reaches the container's. It gets its old mode back at the end,
/// also when the wait fails: a shell in raw mode is unusable.
struct Raw {
    before: Termios,
}

impl Raw {
    /// `None` when standard input is not a terminal.
    fn enter() -> Option<Self> {
        let before = tcgetattr(stdin()).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).ok()?;
        Some(Self { before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}
