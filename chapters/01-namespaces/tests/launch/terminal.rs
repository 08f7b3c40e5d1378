//! A terminal of the container's own.

use std::fs::File;
use std::io::{Read, Write};

use namespaces::{Container, Launch, Running, Stdio, launch};

use crate::Test;
use crate::bench::Image;

pub(crate) const TESTS: &[Test] = &[
    ("the_program_has_a_terminal", has_a_terminal),
    ("it_is_the_controlling_terminal", is_controlling),
    ("the_console_is_the_terminal", console),
    ("the_terminal_belongs_to_the_user", owner),
    ("without_devpts_there_is_none", no_devpts),
    ("files_win_over_the_containers_wish", files_win),
];

fn start(container: &Container) -> Running {
    launch(container, &mut [], Launch { stdio: Some(Stdio::Terminal), ..Launch::default() }).unwrap()
}

/// Everything shown until the program has ended. The other side of a pty that nobody has open gives EIO.
fn shown(running: Running) -> String {
    let mut text = Vec::new();
    let mut console = File::from(running.console.unwrap());
    let mut buffer = [0; 256];
    while let Ok(length @ 1..) = console.read(&mut buffer) {
        text.extend_from_slice(&buffer[..length]);
    }
    let pidfd = rustix::process::WaitId::PidFd(std::os::fd::AsFd::as_fd(&running.pidfd));
    rustix::process::waitid(pidfd, rustix::process::WaitIdOptions::EXITED).unwrap();
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

fn has_a_terminal() {
    let image = Image::new();
    let mut container = image.container("tty; stty size; test -t 0 -a -t 1 -a -t 2 && echo all");
    container.process.console_size = Some((123, 45));
    assert_eq!(shown(start(&container)), "/dev/pts/0\n45 123\nall\n");
}

fn is_controlling() {
    let image = Image::new();
    let running = start(&image.container("echo ready; exec sleep 60"));
    let mut console = File::from(running.console.as_ref().unwrap().try_clone().unwrap());
    let mut text = [0; 7];
    console.read_exact(&mut text).unwrap();
    // Ctrl-C is a signal to the foreground group, but process 1 of a pid namespace gets none that it has no handler for.
    drop(console);
    rustix::process::pidfd_send_signal(&running.pidfd, rustix::process::Signal::KILL).unwrap();
    shown(running);
    let running = start(&image.container("trap 'echo caught; exit' INT; echo ready; sleep 60"));
    let mut console = File::from(running.console.as_ref().unwrap().try_clone().unwrap());
    console.read_exact(&mut text).unwrap();
    console.write_all(b"\x03").unwrap();
    drop(console);
    assert_eq!(shown(running), "^Ccaught\n");
}

fn console() {
    let image = Image::new();
    let outcome = shown(start(&image.container("echo hello > /dev/console; stat -c %t:%T /dev/console /dev/pts/0")));
    assert_eq!(outcome, "hello\n88:0\n88:0\n");
}

fn owner() {
    let image = Image::new();
    let mut container = image.container("stat -c %u /dev/pts/0; echo x > /dev/stdout");
    container.process.user.user = "web".into();
    assert_eq!(shown(start(&container)), "1000\nx\n");
}

fn no_devpts() {
    let image = Image::new();
    let mut container = image.container("true");
    container.mounts.retain(|mount| mount.target.to_str() != Some("/dev/pts"));
    let options = Launch { stdio: Some(Stdio::Terminal), ..Launch::default() };
    let failure = launch(&container, &mut [], options).unwrap_err();
    assert!(failure.hint.unwrap().contains("devpts"));
}

fn files_win() {
    let image = Image::new();
    let mut container = image.container("tty");
    container.process.terminal = true;
    assert_eq!(crate::bench::run(&container).text, "not a tty\n");
    let running = launch(&container, &mut [], Launch::default()).unwrap();
    assert_eq!(shown(running), "/dev/pts/0\n");
}
