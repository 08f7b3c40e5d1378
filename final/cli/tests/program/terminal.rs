//! A terminal of our own: raw while the program inside has it, as it was before when we are done, its size known inside.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::daemon::{Answer, Daemon};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::termios::{LocalModes, tcgetattr, tcsetwinsize};

/// A container with a terminal that stays until it is left.
fn container(_: &str, path: &str, _: usize) -> Answer {
    match path.split('?').next().unwrap() {
        "/containers/create" => Answer::Plain(201, r#"{"Id":"c1","Warnings":[]}"#),
        "/containers/c1/attach" | "/exec/e1/start" => Answer::Hold,
        "/containers/web/exec" => Answer::Plain(201, r#"{"Id":"e1"}"#),
        _ => Answer::Plain(204, ""),
    }
}

/// The program on a terminal of 30 rows and 100 columns, and our end of it.
fn on_terminal(daemon: &Daemon, arguments: &[&str]) -> (Child, File) {
    let size = Winsize { ws_row: 30, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(&size, None).unwrap();
    let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
    let mut command = daemon.skiff(arguments);
    command.stdin(end(&pty.slave)).stdout(end(&pty.slave)).stderr(end(&pty.slave));
    (command.spawn().unwrap(), File::from(pty.master))
}

fn is_raw(terminal: &File) -> bool {
    !tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ECHO)
}

/// The end of the program, which must not take long.
fn end(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_terminal_is_raw_until_the_detach_keys() {
    let daemon = Daemon::new(container);
    let (mut child, mut terminal) = on_terminal(&daemon, &["run", "-it", "image"]);
    daemon.wait_for("/resize?h=30&w=100");
    assert!(is_raw(&terminal));
    terminal.write_all(b"ls\r\x10").unwrap();
    terminal.write_all(b"\x11").unwrap();
    assert_eq!(end(&mut child).code(), Some(0));
    assert!(!is_raw(&terminal));
}

#[test]
fn a_change_of_the_size_is_passed_on() {
    let daemon = Daemon::new(container);
    let (mut child, mut terminal) = on_terminal(&daemon, &["run", "-it", "--detach-keys", "ctrl-a,x", "image"]);
    daemon.wait_for("/resize?h=30&w=100");
    let size = rustix::termios::Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).unwrap();
    // It is not the terminal's foreground process here, so the kernel does not tell it.
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGWINCH).unwrap();
    daemon.wait_for("/resize?h=40&w=120");
    terminal.write_all(b"\x01x").unwrap();
    assert_eq!(end(&mut child).code(), Some(0));
}

#[test]
fn a_signal_that_ends_exec_leaves_the_terminal_as_it_was() {
    let daemon = Daemon::new(container);
    let (mut child, terminal) = on_terminal(&daemon, &["exec", "-it", "web", "sh"]);
    daemon.wait_for("/exec/e1/resize");
    assert!(is_raw(&terminal));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(end(&mut child).code(), Some(143));
    assert!(!is_raw(&terminal));
}

#[test]
fn a_signal_to_run_goes_to_the_container() {
    let daemon = Daemon::new(container);
    let (mut child, mut terminal) = on_terminal(&daemon, &["run", "-it", "image"]);
    daemon.wait_for("/resize");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGUSR1).unwrap();
    daemon.wait_for("POST /v1.51/containers/c1/kill?signal=USR1");
    terminal.write_all(b"\x10\x11").unwrap();
    assert_eq!(end(&mut child).code(), Some(0));
}

#[test]
fn a_start_that_fails_leaves_the_terminal_as_it_was() {
    let daemon = Daemon::new(|method, path, before| match path {
        "/containers/c1/start" => Answer::Plain(500, r#"{"message":"port is already allocated"}"#),
        _ => container(method, path, before),
    });
    let (mut child, terminal) = on_terminal(&daemon, &["run", "-it", "image"]);
    assert_eq!(end(&mut child).code(), Some(125));
    assert!(!is_raw(&terminal));
}
