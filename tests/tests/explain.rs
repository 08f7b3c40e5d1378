//! `run --explain`: what it tells is measured, and the kernel calls that it names were made. `inspect --kernel`: what it says
//! is what the kernel says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use skiff_tests::{Daemon, run};

/// Steps that have nothing to do for the container below: no AppArmor here, and nobody asked for the others.
const IDLE: [&str; 7] = [
    "join-namespaces",
    "set-clocks",
    "choose-apparmor-profile",
    "set-scheduling",
    "set-personality",
    "open-terminal",
    "propagate-root",
];

#[test]
fn the_named_calls_are_made() {
    let daemon = Daemon::start();
    let tracer = Tracer::of(&daemon);
    let flags = ["--domainname", "d", "--oom-score-adj", "100", "--read-only", "--ulimit", "nofile=99", "-u", "1"];
    let words = [&["run", "--rm", "--explain=json"], &flags[..], &["busybox", "echo", "hi"]].concat();
    let ran = daemon.skiff(&words);
    let trace = tracer.end();
    assert_eq!((ran.stdout.as_str(), ran.code), ("hi\n", 0), "{}", ran.stderr);
    let steps: Value = serde_json::from_str(&ran.stderr).unwrap();
    let parts: Vec<&Value> =
        steps.as_array().unwrap().iter().flat_map(|step| step["Parts"].as_array().unwrap()).collect();
    assert!(parts.len() > 40, "{parts:#?}");
    let made = |call: &str| {
        trace.lines().filter_map(|line| line.split_once(' ')).any(|(_, line)| line.trim_start().starts_with(call))
    };
    let mut lies = Vec::new();
    for part in parts {
        let name = part["Name"].as_str().unwrap();
        let calls = part["Calls"].as_array().unwrap().iter().filter_map(Value::as_str);
        lies.extend(
            calls
                .filter(|call| !IDLE.contains(&name) && !made(&format!("{call}(")))
                .map(|call| format!("{name}: {call}")),
        );
    }
    assert!(lies.is_empty(), "these calls are named and were not made: {lies:#?}");
    for step in steps.as_array().unwrap().iter().filter(|step| step["Number"] != 1) {
        assert!(step["Took"].as_u64().is_some_and(|took| took > 0), "{step:#}");
    }
    daemon.finish();
}

#[test]
fn the_explanation_is_for_people_and_not_in_the_way() {
    let daemon = Daemon::start();
    let told = daemon.skiff(&["run", "--rm", "--explain", "busybox", "sh", "-c", "echo out; exit 3"]);
    assert_eq!((told.stdout.as_str(), told.code), ("out\n", 3));
    for words in ["1 Find the image", "6 Keep its status", "pivot-root", "[pivot_root umount2]", "chapter 4 network"] {
        assert!(told.stderr.contains(words), "{words} is missing in\n{}", told.stderr);
    }
    let detached = daemon.skiff(&["run", "-d", "--rm", "--explain", "busybox", "true"]);
    assert!(detached.stderr.contains("pivot-root"), "{}", detached.stderr);
    let failed = daemon.skiff(&["run", "--rm", "--explain", "busybox", "no-such-program"]);
    assert_eq!((failed.code, failed.stderr.contains("pivot-root")), (127, false), "{}", failed.stderr);
    daemon.finish();
}

#[test]
fn the_kernel_is_asked_chapter_by_chapter() {
    let daemon = Daemon::start();
    let flags = ["-d", "--name", "web", "-m", "64m", "-p", "8080:80", "-v", "stuff:/data", "--uts", "host"];
    daemon.skiff(&[&["run"], &flags[..], &["busybox", "sleep", "600"]].concat()).ok();
    let view: Value =
        serde_json::from_str(daemon.skiff(&["inspect", "--kernel", "--format", "json", "web"]).ok()).unwrap();
    let facts = |chapter: &str| -> Vec<(String, String)> {
        let chapters = view["Chapters"].as_array().unwrap();
        let found = chapters.iter().find(|found| found["Chapter"] == chapter).unwrap();
        let text = |fact: &Value, key: &str| fact[key].as_str().unwrap().to_owned();
        found["Facts"].as_array().unwrap().iter().map(|fact| (text(fact, "source"), text(fact, "value"))).collect()
    };
    let says = |chapter: &str, source: &str, value: &str| {
        let facts = facts(chapter);
        let said = facts.iter().any(|(from, said)| from.ends_with(source) && said.contains(value));
        assert!(said, "{source} does not say {value}: {facts:#?}");
    };
    let pid = &view["Pid"];
    let mount_namespace = std::fs::read_link(format!("/proc/{pid}/ns/mnt")).unwrap();
    says("1 namespaces", "ns/mnt", &format!("{}, its own", mount_namespace.display()));
    says("1 namespaces", "ns/uts", "shared with the host");
    says("1 namespaces", "status", "Seccomp: 2 (a filter)");
    says("1 namespaces", "status", "CapBnd: CHOWN");
    says("1 namespaces", "uid_map", "0 0 4294967295");
    says("1 namespaces", "mountinfo", " /proc rw");
    says("2 cgroups", "", "67108864");
    says("3 unionfs", "mountinfo", " / / rw");
    says("4 network", "address of eth0", "172.17.0.2/16");
    says("4 network", "rule", "ports { tcp . 8080 : 172.17.0.2 . 80 }");
    says("5 volumes", "mountinfo", " /data rw");
    let text = daemon.skiff(&["inspect", "--kernel", "web"]);
    assert!(text.ok().starts_with(&format!("web, process {pid}\n\nchapter 1 namespaces\n")), "{}", text.stdout);
    daemon.skiff(&["kill", "web"]).ok();
    let ended = daemon.skiff(&["inspect", "--kernel", "web"]);
    assert!(ended.code == 1 && ended.stderr.contains("is not running"), "{}", ended.stderr);
    daemon.skiff(&["rm", "-v", "web"]).ok();
    daemon.finish();
}

/// strace(1) on a daemon and everything it starts.
struct Tracer {
    child: Child,
    file: PathBuf,
}

impl Tracer {
    fn of(daemon: &Daemon) -> Self {
        let file = daemon.directory().join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", "signal=none", "-s", "0", "-p", &daemon.pid().to_string(), "-o"]).arg(&file);
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let traced = || {
            let mut tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.pid())).unwrap().flatten();
            tasks.all(|task| {
                let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
                !status.contains("TracerPid:\t0\n")
            })
        };
        while !traced() {
            assert!(Instant::now() < deadline, "strace cannot attach to the daemon");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, file }
    }

    /// Lets the daemon go, and returns what it and its children called: a process id and a call in each line.
    fn end(mut self) -> String {
        run(Command::new("kill").arg(self.child.id().to_string()), b"").ok();
        self.child.wait().unwrap();
        std::fs::read_to_string(&self.file).unwrap()
    }
}
