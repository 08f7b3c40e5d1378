//! `--init`: a first process that does what is expected of a first process, with the program as its child.
//!
//! ```text
//!  child ── steps ──┬─ fork ─▶ process 2 … execve: the program
//!                   └─ process 1: take a signal, pass it on; reap whoever has ended; end as the program ended
//! ```
//!
//! Process 1 of a pid namespace is special in two ways. A signal that it has no handler for does not end it, so a program
//! that was not written for this place ignores Ctrl-C and `docker stop`. And every process whose parent has ended becomes
//! its child, so that a program which never waits for strangers collects zombies until the limit on processes is reached.
//!
//! No program is mounted into the container for this, and none is executed: the copy of the launcher that has just taken all
//! steps stays where it is. It has the program's user, rights and filter, and it lets go of every descriptor, so that output
//! ends when the program's does. Nobody inside can trace it or read its memory: `hide` was its first step.

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

use crate::failure::{Context, Result};
use crate::stage::Child;
use crate::sys;

/// Forks. Returns in the new process, which becomes the program; the old one stays as init and ends with it.
pub(super) fn fork_program(child: &Child<'_>) -> Result<()> {
    // Whoever is not first in its pid namespace (`--pid host`) inherits orphans only when it asks for them.
    rustix::process::set_child_subreaper(Some(Pid::INIT)).step("become the reaper of orphans")?;
    sys::block_signals();
    let forked = sys::fork().step("fork the program from its init");
    let forked =
        forked.map_err(|failure| failure.hint_on(Errno::AGAIN, "The limit of processes leaves no room for both."));
    if let Some(program) = forked? {
        serve(program);
    }
    lead(child.terminal.is_some()).step("give the program a process group of its own")?;
    sys::reset_signals();
    Ok(())
}

/// The program's own group in the foreground: Ctrl-C is for the program then, and not, through init, for it a second time.
fn lead(has_terminal: bool) -> Result<(), Errno> {
    rustix::process::setpgid(None, None)?;
    if has_terminal {
        // From the background this stops the caller with SIGTTOU, unless that is blocked, as all signals are here.
        rustix::termios::tcsetpgrp(rustix::stdio::stdin(), rustix::process::getpid())?;
    }
    Ok(())
}

/// The life of init.
fn serve(program: Pid) -> ! {
    // The way to the launcher among them: it closes for good when the program's copy does, in its execve(2).
    sys::close_all();
    let _ = rustix::thread::set_name(c"init");
    loop {
        match sys::wait_for_signal() {
            Ok(libc::SIGCHLD) => {
                if let Some(status) = reap(program) {
                    sys::exit(status);
                }
            }
            // Fails only when the program has just ended, or has become another user's.
            Ok(signo) => drop(sys::kill(program, signo)),
            Err(Errno::INTR) => {}
            // A filter that forbids waiting for signals: waiting for the end is what is left.
            Err(_) => {
                if let Some(status) = wait(program, WaitOptions::empty()) {
                    sys::exit(status);
                }
            }
        }
    }
}

/// Reaps everybody who has ended: one signal may stand for several ends. The program's status, if it was among them.
fn reap(program: Pid) -> Option<i32> {
    wait(program, WaitOptions::NOHANG)
}

/// wait(2) until nobody is left to reap (`NOHANG`) or the program has ended. Its status as a shell tells it: 128 and the
/// number of the signal that ended it.
fn wait(program: Pid, options: WaitOptions) -> Option<i32> {
    loop {
        match rustix::process::wait(options) {
            Ok(Some((pid, status))) if pid == program => {
                return status.exit_status().or_else(|| status.terminating_signal().map(|signo| 128 + signo));
            }
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return None,
            Err(_) => return Some(125),
        }
    }
}
