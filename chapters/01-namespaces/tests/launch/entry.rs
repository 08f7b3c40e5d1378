//! `exec`: a second process in a running container.

use std::fs;

use namespaces::{Failure, Launch, Process, Stdio, enter};
use rustix::process::Pid;

use crate::Test;
use crate::bench::{Image, Outcome, Output, Sleeper, run};

pub(crate) const TESTS: &[Test] = &[
    ("it_is_in_the_same_namespaces", same_namespaces),
    ("it_has_the_same_restrictions", same_restrictions),
    ("it_has_a_user_and_a_directory_of_its_own", user_and_directory),
    ("it_can_have_a_terminal", terminal),
    ("in_a_user_namespace_it_is_root_there", user_namespace),
    ("a_missing_program_is_reported", missing_program),
    ("a_container_that_has_ended_is_reported", ended),
    ("a_process_of_the_host_is_no_container", host),
    ("nobody_inside_can_look_into_it (CVE-2016-9962)", hidden),
    ("its_working_directory_cannot_be_outside (CVE-2024-21626)", working_directory),
    ("its_exit_ends_it_alone", ends_alone),
];

fn process(script: &str) -> Process {
    let image = Image::new();
    image.container(script).process
}

fn try_exec(sleeper: &Sleeper, process: &Process) -> Result<Outcome, Failure> {
    let output = Output::new();
    let running = enter(sleeper.running.pid, process, &mut [], output.options())?;
    Ok(output.of(&running))
}

fn exec(sleeper: &Sleeper, script: &str) -> Outcome {
    try_exec(sleeper, &process(script)).unwrap()
}

fn same_namespaces() {
    let sleeper = Sleeper::start(|container| container.hostname = Some("galley".into()));
    let outcome =
        exec(&sleeper, "for k in pid mnt uts ipc net cgroup user time; do readlink /proc/self/ns/$k; done; hostname");
    let mut lines = outcome.lines();
    assert_eq!(lines.pop(), Some("galley"));
    for (kind, inside) in ["pid", "mnt", "uts", "ipc", "net", "cgroup", "user", "time"].iter().zip(lines) {
        assert_eq!(fs::read_link(sleeper.namespace(kind)).unwrap().to_string_lossy(), inside);
    }
    let own = fs::read_link("/proc/self/ns/pid").unwrap();
    assert_eq!(fs::read_link("/proc/self/ns/pid_for_children").unwrap(), own);
}

fn same_restrictions() {
    let sleeper = Sleeper::start(|_| ());
    let status = exec(&sleeper, "grep -e Cap -e Seccomp: /proc/self/status; ls /proc/self/fd; cat /proc/timer_list");
    for line in ["CapInh:\t0000000000000000", "CapEff:\t00000000a80425fb", "CapBnd:\t00000000a80425fb", "Seccomp:\t2"] {
        assert!(status.text.contains(line), "{line}: {status:?}");
    }
    assert!(status.text.ends_with("0\n1\n2\n3\n"), "{status:?}");
}

fn user_and_directory() {
    let sleeper = Sleeper::start(|_| ());
    let mut process = process("id -u; pwd; echo $HOME $X");
    process.user.user = "web".into();
    process.cwd = "/home".into();
    process.env.push("X=y".into());
    assert_eq!(try_exec(&sleeper, &process).unwrap().lines(), ["1000", "/home", "/home/web y"]);
}

fn terminal() {
    use std::io::Read;
    let sleeper = Sleeper::start(|_| ());
    let options = Launch { stdio: Some(Stdio::Terminal), ..Launch::default() };
    let running = enter(sleeper.running.pid, &process("tty; stty size"), &mut [], options).unwrap();
    let mut text = Vec::new();
    // Ends with EIO when the last of the other side is gone.
    let _ = fs::File::from(running.console.unwrap()).read_to_end(&mut text);
    assert_eq!(String::from_utf8(text).unwrap().lines().next(), Some("/dev/pts/0"));
    rustix::process::waitpid(Some(running.pid), rustix::process::WaitOptions::empty()).unwrap();
}

fn user_namespace() {
    let sleeper = Sleeper::start(|container| {
        std::os::unix::fs::chown(&container.root.path, Some(100_000), Some(100_000)).unwrap();
        container.namespaces.user = namespaces::Namespace::New;
        let map = namespaces::IdMap { inside: 0, outside: 100_000, size: 1000 };
        container.namespaces.uid_map = vec![map];
        container.namespaces.gid_map = vec![map];
    });
    let outcome = exec(&sleeper, "id -u; readlink /proc/self/ns/user; stat -L -c %u /proc/self");
    let user = fs::read_link(sleeper.namespace("user")).unwrap();
    assert_eq!(outcome.lines(), ["0", &user.to_string_lossy(), "0"]);
}

fn missing_program() {
    let sleeper = Sleeper::start(|_| ());
    let mut process = process("");
    process.args = vec!["nope".into()];
    let failure = try_exec(&sleeper, &process).unwrap_err();
    assert_eq!(failure.to_string(), "cannot execute nope: executable file not found in $PATH");
}

fn ended() {
    let image = Image::new();
    let output = Output::new();
    let running = namespaces::launch(&image.container("true"), &mut [], output.options()).unwrap();
    let pid = running.pid;
    running.wait().unwrap();
    let failure = enter(pid, &process("true"), &mut [], Launch::default()).unwrap_err();
    assert_eq!(failure.hint.as_deref(), Some("The container is not running; start it first."));
}

fn host() {
    let own = Pid::from_raw(rustix::process::getpid().as_raw_pid()).unwrap();
    let failure = enter(own, &process("true"), &mut [], Launch::default()).unwrap_err();
    assert!(failure.to_string().contains("has no mount namespace of its own"), "{failure}");
}

/// Held at the gate, the entering process is inside and still has the launcher's descriptors.
fn hidden() {
    let sleeper = Sleeper::start(|container| {
        container.process.capabilities.bounding.push("SYS_PTRACE".into());
        container.process.capabilities = namespaces::Capabilities::of(&container.process.capabilities.bounding);
    });
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("gate");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let gate = fs::File::options().read(true).write(true).open(&fifo).unwrap();
    let output = Output::new();
    let options = Launch { gate: Some(gate.try_clone().unwrap().into()), ..output.options() };
    let running = enter(sleeper.running.pid, &process("true"), &mut [], options).unwrap();
    let entering = fs::read_to_string(format!("/proc/{}/status", running.pid.as_raw_pid())).unwrap();
    let inside = entering.lines().find(|line| line.starts_with("NSpid:")).unwrap().split_whitespace().last().unwrap();
    let look = exec(
        &sleeper,
        &format!(
            "cd /proc/{inside}; for l in fd/1 exe cwd root; do readlink $l && echo seen; done; ls fd/1/ root/; cat mem"
        ),
    );
    assert_eq!(look.text.matches("Permission denied").count(), 3, "{look:?}");
    assert!(!look.text.contains("seen"), "{look:?}");
    std::io::Write::write_all(&mut &gate, b"x").unwrap();
    assert_eq!(output.of(&running).status, 0);
}

fn working_directory() {
    let sleeper = Sleeper::start(|_| ());
    let _leaked = fs::File::open("/").unwrap();
    for number in 0..40 {
        let mut process = process("ls");
        process.cwd = format!("/proc/self/fd/{number}").into();
        let failure = try_exec(&sleeper, &process).unwrap_err();
        assert!(failure.to_string().starts_with("cannot go to the working directory"), "{failure}");
    }
}

fn ends_alone() {
    let sleeper = Sleeper::start(|_| ());
    assert_eq!(exec(&sleeper, "exit 9").status, 9);
    assert_eq!(exec(&sleeper, "kill -9 $$").status, 137);
    assert_eq!(exec(&sleeper, "ps | grep -c '[s]leep 60'").text, "1\n");
    assert_eq!(run(&Image::new().container("exit 0")).status, 0);
}
