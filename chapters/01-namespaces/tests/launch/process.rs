//! The program: how it is found, what it inherits, how it ends.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use namespaces::{Launch, Rlimit, launch};

use crate::Test;
use crate::bench::{Image, Output, run, try_run};

pub(crate) const TESTS: &[Test] = &[
    ("exit_status_and_signal", ends),
    ("environment_and_home", environment),
    ("a_program_not_in_the_path", not_found),
    ("a_program_that_may_not_be_run", not_executable),
    ("a_script_without_its_interpreter", no_interpreter),
    ("a_file_that_is_no_program", no_program),
    ("no_program_at_all", nothing),
    ("the_path_is_the_containers", path),
    ("signals_are_as_a_program_expects_them", signals),
    ("umask", umask),
    ("limits", limits),
    ("the_oom_score", oom_score),
    ("the_gate_holds_it_back", gate),
    ("from_a_process_with_threads_nothing_is_launched", threads),
    ("timings_are_told_when_asked_for", timings),
];

fn ends() {
    let image = Image::new();
    assert_eq!(run(&image.container("exit 7")).status, 7);
    assert_eq!(run(&image.container("sh -c 'kill -9 $$'; exit $?")).status, 137);
    // The first process of a pid namespace can be ended only from outside.
    let running = launch(&image.container("sleep 60"), &mut [], Output::new().options()).unwrap();
    rustix::process::pidfd_send_signal(&running.pidfd, rustix::process::Signal::KILL).unwrap();
    assert_eq!(running.wait().unwrap(), 137);
}

fn environment() {
    let image = Image::new();
    let mut container = image.container("");
    // Not by a shell, which has variables of its own.
    container.process.args = vec!["/bin/env".into()];
    container.process.env = vec!["B=2".into(), "A=x=y".into()];
    assert_eq!(run(&container).lines(), ["B=2", "A=x=y", "HOME=/root"]);
    container.process.env = vec!["HOME=/elsewhere".into()];
    assert_eq!(run(&container).lines(), ["HOME=/elsewhere"]);
    container.process.env = vec!["A=a\0b".into()];
    assert!(try_run(&container).unwrap_err().to_string().contains("zero byte"));
}

fn failing(image: &Image, program: &str) -> namespaces::Failure {
    let mut container = image.container("");
    container.process.args = vec![program.into()];
    let failure = try_run(&container).unwrap_err();
    assert_eq!(failure.step, "execute");
    failure
}

fn write_program(image: &Image, path: &str, content: &str, mode: u32) {
    let path = image.path().join(path);
    fs::write(&path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn not_found() {
    let image = Image::new();
    let failure = failing(&image, "nope");
    assert_eq!(failure.to_string(), "cannot execute nope: executable file not found in $PATH");
    assert_eq!((failure.errno, failure.exit_status()), (Some(libc::ENOENT), 127));
    let failure = failing(&image, "/bin/nope");
    assert_eq!(failure.to_string(), "cannot execute /bin/nope: No such file or directory");
    assert_eq!(failure.exit_status(), 127);
}

fn not_executable() {
    let image = Image::new();
    write_program(&image, "bin/plain", "", 0o644);
    for program in ["plain", "/bin/plain", "/etc", "/etc/passwd"] {
        let failure = failing(&image, program);
        assert_eq!((failure.errno, failure.exit_status()), (Some(libc::EACCES), 126), "{failure}");
    }
    // For root everything with any execute bit is executable; another user needs his own.
    write_program(&image, "bin/roots", "#!/bin/sh\necho run", 0o700);
    let mut container = image.container("");
    container.process.args = vec!["roots".into()];
    assert_eq!(run(&container).text, "run\n");
    container.process.user.user = "web".into();
    assert_eq!(try_run(&container).unwrap_err().to_string(), "cannot execute /bin/roots: Permission denied");
}

fn no_interpreter() {
    let image = Image::new();
    write_program(&image, "bin/script", "#!/usr/bin/python3\n", 0o755);
    let failure = failing(&image, "script");
    assert_eq!((failure.errno, failure.exit_status()), (Some(libc::ENOENT), 127));
    assert!(failure.hint.unwrap().contains("/usr/bin/python3"));
    fs::copy("/usr/bin/env", image.path().join("bin/dynamic")).unwrap();
    assert!(failing(&image, "dynamic").hint.unwrap().contains("ld-linux-x86-64.so.2"));
}

fn no_program() {
    let image = Image::new();
    write_program(&image, "bin/text", "hello", 0o755);
    let failure = failing(&image, "text");
    assert_eq!((failure.errno, failure.exit_status()), (Some(libc::ENOEXEC), 126));
    assert!(failure.hint.unwrap().contains("#!"));
}

fn nothing() {
    let image = Image::new();
    let mut container = image.container("");
    container.process.args.clear();
    assert_eq!(try_run(&container).unwrap_err().to_string(), "cannot execute: no program is given");
}

fn path() {
    let image = Image::new();
    fs::create_dir_all(image.path().join("opt")).unwrap();
    write_program(&image, "opt/tool", "#!/bin/sh\necho opt", 0o755);
    let mut container = image.container("");
    container.process.args = vec!["tool".into()];
    container.process.env = vec!["PATH=/bin:/opt".into()];
    assert_eq!(run(&container).text, "opt\n");
    container.process.args = vec!["./tool".into()];
    container.process.cwd = "/opt".into();
    assert_eq!(run(&container).text, "opt\n");
}

fn signals() {
    let image = Image::new();
    // Rust ignores SIGPIPE; a program that inherits that writes into the void for ever.
    assert_eq!(image.prints("yes | head -n 1"), "y\n");
    // Not by a shell, which ignores one itself.
    let mut container = image.container("");
    container.process.args = ["grep", "-e", "SigIgn", "-e", "SigBlk", "/proc/self/status"].map(str::to_owned).to_vec();
    let masks = run(&container).text;
    assert_eq!(masks.matches("0000000000000000").count(), 2, "{masks}");
}

fn umask() {
    let image = Image::new();
    let mut container = image.container("umask; mkdir /tmp/made; stat -c %a /tmp/made");
    assert_eq!(run(&container).lines(), ["0022", "755"]);
    container.process.umask = Some(0o077);
    container.process.args[2] = "umask".into();
    assert_eq!(run(&container).lines(), ["0077"]);
}

fn limits() {
    let image = Image::new();
    let mut container = image.container("ulimit -n; ulimit -Hn; ulimit -c");
    container.process.rlimits = vec![
        Rlimit { kind: "NOFILE".into(), soft: 100, hard: 200 },
        Rlimit { kind: "RLIMIT_CORE".into(), soft: 0, hard: 0 },
    ];
    assert_eq!(run(&container).lines(), ["100", "200", "0"]);
    // More than the machine lets us: as much as it does.
    container.process.rlimits = vec![Rlimit { kind: "nofile".into(), soft: 1 << 40, hard: 1 << 40 }];
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap();
    assert!(run(&container).lines()[1].parse::<u64>().unwrap() >= most);
    container.process.rlimits = vec![Rlimit { kind: "NOFILES".into(), soft: 1, hard: 1 }];
    assert_eq!(try_run(&container).unwrap_err().to_string(), "cannot set the limit NOFILES: no such limit");
}

fn oom_score() {
    let image = Image::new();
    let mut container = image.container("cat /proc/self/oom_score_adj");
    container.process.oom_score_adj = Some(500);
    assert_eq!(run(&container).text, "500\n");
    // Lower than the launcher's may be refused, and then things stay as they are.
    container.process.oom_score_adj = Some(-1000);
    run(&container);
}

fn gate() {
    let image = Image::new();
    let fifo = image.path().join("gate");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let open = || fs::File::options().read(true).write(true).open(&fifo).unwrap();
    let mut output = Output::new();
    let options = Launch { gate: Some(open().into()), ..output.options() };
    let running = launch(&image.container("echo through"), &mut [], options).unwrap();
    let comm = fs::read_to_string(format!("/proc/{}/comm", running.pid.as_raw_pid())).unwrap();
    assert_ne!(comm.trim(), "sh");
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(output.so_far(), "");
    std::io::Write::write_all(&mut open(), b"x").unwrap();
    assert_eq!(output.of(&running).text, "through\n");
    // What can be known before the gate is known before it.
    let options = Launch { gate: Some(open().into()), ..Output::new().options() };
    let mut container = image.container("");
    container.process.args = vec!["nope".into()];
    assert_eq!(launch(&container, &mut [], options).unwrap_err().exit_status(), 127);
}

fn threads() {
    let image = Image::new();
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || wait.recv());
    let failure = try_run(&image.container("true")).unwrap_err();
    drop(done);
    thread.join().unwrap().unwrap_err();
    assert!(failure.to_string().contains("this process has 2 threads"), "{failure}");
}

fn timings() {
    let image = Image::new();
    let options = Launch { timings: true, ..Output::new().options() };
    let running = launch(&image.container("true"), &mut [], options).unwrap();
    let names: Vec<_> = running.timings.iter().map(|timing| timing.name.as_str()).collect();
    assert_eq!(names.first(), Some(&"clone3"));
    assert_eq!(names.last(), Some(&"set-capabilities"));
    running.wait().unwrap();
}
