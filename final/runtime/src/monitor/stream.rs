//! The container's standard streams, and the monitor's ends of them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use namespaces::{Context, Failure, Result, Stdio};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::plan::Stdin;

/// Which of the two output streams; the number is the one in docker's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output, or all that a terminal shows.
    Output = 1,
    /// Standard error.
    Error = 2,
}

impl Stream {
    /// Its name in a log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Output => "stdout",
            Self::Error => "stderr",
        }
    }
}

/// The monitor's ends. Reading and writing never blocks.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// Where standard input is written. `None`: closed, or never open.
    pub(crate) input: Option<OwnedFd>,
    /// Where standard output is read, until its end.
    output: Option<OwnedFd>,
    /// The same of standard error.
    error: Option<OwnedFd>,
    /// With a terminal: the program's side of it, held open. Without it the monitor's side would report a hang-up (in every
    /// turn of its loop) whenever no process of the container has the terminal open just now.
    held: Option<OwnedFd>,
}

impl Ends {
    /// Pipes, and the three ends for the program. `/dev/null` is the input of a program that gets none.
    pub(crate) fn pipes(stdin: Stdin) -> Result<(Stdio, Self)> {
        let (output, program_output) = pipe()?;
        let (error, program_error) = pipe()?;
        let (program_input, input) = match stdin {
            Stdin::Closed => (null(OFlags::RDONLY)?, None),
            Stdin::Open | Stdin::Once => {
                let (program, ours) = pipe()?;
                (program, Some(ours))
            }
        };
        for ours in [Some(&output), Some(&error), input.as_ref()].into_iter().flatten() {
            nonblocking(ours)?;
        }
        let ends = Self { input, output: Some(output), error: Some(error), held: None };
        Ok((Stdio::Files([program_input, program_output, program_error]), ends))
    }

    /// The outer end of a terminal.
    pub(crate) fn terminal(console: OwnedFd, stdin: Stdin) -> Result<Self> {
        nonblocking(&console)?;
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let held = rustix::pty::ioctl_tiocgptpeer(&console, flags).step("hold the terminal open")?;
        let input = match stdin {
            Stdin::Closed => None,
            Stdin::Open | Stdin::Once => {
                Some(rustix::io::fcntl_dupfd_cloexec(&console, 3).step("duplicate the terminal")?)
            }
        };
        Ok(Self { input, output: Some(console), error: None, held: Some(held) })
    }

    /// Whether output is read from a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.held.is_some()
    }

    /// Where `stream` is read, until its end.
    pub(crate) fn output(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        match stream {
            Stream::Output => self.output.as_ref().map(AsFd::as_fd),
            Stream::Error => self.error.as_ref().map(AsFd::as_fd),
        }
    }

    /// Reads what there is of `stream`, and closes it at its end. `None`: nothing, now or ever.
    pub(crate) fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> Option<usize> {
        let fd = self.output(stream)?;
        match rustix::io::read(fd, buffer) {
            Ok(read @ 1..) => return Some(read),
            Err(Errno::AGAIN | Errno::INTR) => return None,
            // 0: every writer is gone. EIO: a terminal's way to say the same.
            Ok(0) | Err(_) => {}
        }
        match stream {
            Stream::Output => self.output = None,
            Stream::Error => self.error = None,
        }
        None
    }

    /// Writes to standard input as much as fits now. When the program has closed its end, ours is closed too, and the rest
    /// goes where it would have gone.
    pub(crate) fn write(&mut self, data: &[u8]) -> usize {
        let Some(input) = &self.input else { return data.len() };
        match rustix::io::write(input, data) {
            Ok(written) => written,
            Err(Errno::AGAIN | Errno::INTR) => 0,
            Err(_) => {
                self.input = None;
                data.len()
            }
        }
    }

    /// Sets the size of the terminal; the kernel tells the program by SIGWINCH.
    pub(crate) fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let step = "resize the terminal";
        let Some(console) = self.output.as_ref().filter(|_| self.is_terminal()) else {
            return Err(Failure::new(step, "the container has no terminal").hint("Create it with --tty."));
        };
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(console, size).step(step)
    }
}

/// Opens `/dev/null`.
pub(crate) fn null(flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::open("/dev/null", flags | OFlags::CLOEXEC, Mode::empty()).during("open", "/dev/null")
}

fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    rustix::pipe::pipe_with(PipeFlags::CLOEXEC).step("make a pipe")
}

/// Only our end: each end of a pipe has its own flags, and a program does not expect a pipe that refuses to wait.
fn nonblocking(fd: &OwnedFd) -> Result<()> {
    rustix::io::ioctl_fionbio(fd, true).step("make a stream non-blocking")
}
