//! How far a process is with ending, as /proc shows it: what the freezer has to know, and whoever wonders why a group stays
//! in use.
//!
//! A process ends in steps. It is killed: SIGKILL stands on its list of signals (`ShdPnd`), and it has not looked yet. It
//! looks, and is exiting (`PF_EXITING`): it lets go of its memory and files, leaves its groups, and, if it was the first of
//! a pid namespace, kills all others there and waits for them. It is a zombie, until its parent has asked for the status.

use std::fs;

use rustix::process::Pid;

/// What `/proc/PID/status` says about a process's end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    /// It has been sent SIGKILL and has not noticed.
    pub(crate) killed: bool,
    /// Its parent, as the caller numbers it; 0 when that is out of the caller's sight.
    pub(crate) parent: i32,
}

impl Ending {
    /// `None` when there is no such process any more.
    pub(crate) fn of(pid: Pid) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).ok()?)
    }

    /// `SigPnd` is what one thread was sent, `ShdPnd` what the whole process was: a bit for each signal, SIGKILL is the
    /// ninth (proc_pid_status(5)).
    fn parse(status: &str) -> Option<Self> {
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let pending = |name| field(name).and_then(|mask| u64::from_str_radix(mask, 16).ok()).unwrap_or(0);
        let killed = (pending("SigPnd") | pending("ShdPnd")) & 1 << 8 != 0;
        Some(Self { killed, parent: field("PPid")?.parse().ok()? })
    }
}

/// Whether a process is on its way out: the bit `PF_EXITING` of its flags (proc_pid_stat(5), `include/linux/sched.h`).
pub(crate) fn exiting(pid: i32) -> bool {
    const PF_EXITING: u64 = 4;
    // The name is in parentheses and may contain anything. After it: state, ppid, pgrp, session, tty_nr, tpgid, flags.
    let flags = |stat: String| stat.rsplit_once(')')?.1.split_whitespace().nth(6)?.parse::<u64>().ok();
    pid > 0
        && fs::read_to_string(format!("/proc/{pid}/stat"))
            .ok()
            .and_then(flags)
            .is_some_and(|flags| flags & PF_EXITING != 0)
}

/// The first few processes with name and state: `4711 (tail, D (disk sleep))`.
pub(crate) fn describe(pids: &[Pid]) -> String {
    let one = |pid: &Pid| {
        let number = pid.as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map_or("?", str::trim);
        format!("{number} ({}, {})", field("Name:"), field("State:"))
    };
    let listed: Vec<_> = pids.iter().take(5).map(one).collect();
    if listed.is_empty() { "nobody that is listed".to_owned() } else { listed.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ninth_bit_is_sigkill() {
        let status = |own, shared| format!("Name:\tsh\nPPid:\t12\nSigPnd:\t{own}\nShdPnd:\t{shared}\n");
        let alive = Ending { killed: false, parent: 12 };
        assert_eq!(Ending::parse(&status("0000000000000000", "0000000000000001")), Some(alive));
        assert!(Ending::parse(&status("0000000000000100", "0000000000000000")).unwrap().killed);
        assert!(Ending::parse(&status("0000000000000000", "0000000000000101")).unwrap().killed);
        assert_eq!(Ending::parse(""), None);
    }

    #[test]
    fn one_that_runs_is_not_exiting_and_a_zombie_is() {
        let own = rustix::process::getpid();
        assert!(!exiting(own.as_raw_nonzero().get()) && !exiting(0));
        let described = describe(&[own]);
        assert!(
            described.starts_with(&format!("{} (", own.as_raw_nonzero())) && described.ends_with("))"),
            "{described}"
        );
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        while !exiting(pid) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }
}
