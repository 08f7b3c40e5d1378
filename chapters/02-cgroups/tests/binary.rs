//! The chapter's program: a container in its groups, on the real kernel, as root.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use cgroups::{Cgroup, CgroupStage, Hierarchies, Limits, Plan};
use namespaces::Stage as _;
use rustix::process::Pid;

/// A root file system of busybox alone.
fn rootfs() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for directory in ["bin", "dev", "proc", "sys", "tmp", "etc"] {
        fs::create_dir(root.path().join(directory)).unwrap();
    }
    fs::copy("/bin/busybox", root.path().join("bin/busybox")).expect("the package busybox-static is installed");
    for name in ["sh", "cat", "tail", "sleep", "true", "echo"] {
        symlink("busybox", root.path().join("bin").join(name)).unwrap();
    }
    root
}

fn run(name: &str, options: &[&str], root: &Path, script: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cgroups"));
    command.args(["run", "--name", &unique(name)]).args(options).arg(root).args(["sh", "-c", script]);
    command.output().unwrap()
}

fn unique(name: &str) -> String {
    format!("test-{name}-{}", std::process::id())
}

/// No tree has the group any more.
fn gone(name: &str) -> bool {
    let path = Plan::new("skiff", unique(name), Limits::default()).path;
    Hierarchies::discover().unwrap().mounts.iter().all(|hierarchy| !hierarchy.mount_point.join(&path).exists())
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_program_is_inside_and_sees_itself_at_the_top() {
    let root = rootfs();
    let output = run(
        "inside",
        &["--pids-limit", "7"],
        root.path(),
        "cat /proc/self/cgroup; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max",
    );
    let text = stdout(&output);
    assert!(text.contains("pids:/\n") || text.contains("0::/\n"), "{text}{}", stderr(&output));
    assert!(text.ends_with("\n7\n"), "{text}");
    assert!(gone("inside"));
}

#[test]
fn a_container_over_its_memory_limit_is_killed_and_the_reason_given() {
    let root = rootfs();
    let output = run("oom", &["--memory", "16m"], root.path(), "exec tail /dev/zero");
    assert_eq!(output.status.code(), Some(137));
    assert_eq!(stderr(&output), "cgroups: the memory limit was reached and 1 process(es) killed\n");
    assert!(gone("oom"));
}

#[test]
fn without_the_stage_nothing_is_limited() {
    let root = rootfs();
    let output =
        run("without", &["--pids-limit", "2", "--without", "cgroups"], root.path(), "true | true | true && echo fine");
    assert_eq!(stdout(&output), "fine\n");
    let output = run("with", &["--pids-limit", "2"], root.path(), "true | true | true && echo fine");
    assert!(stderr(&output).contains("can't fork"), "{output:?}");
}

#[test]
fn what_cannot_be_is_said_and_leaves_nothing() {
    let root = rootfs();
    let cases = [
        &["--memory", "64 bananas"][..],
        &["--memory", "1m"],
        &["--cpus", "0.001"],
        &["--cpuset-cpus", "1-4294967295"],
        &["--cpuset-cpus", "6000"],
    ];
    let said = cases.map(|options| {
        let output = run("bad", options, root.path(), "true");
        assert!(!output.status.success() && gone("bad"));
        stderr(&output).replace(&unique("bad"), "NAME")
    });
    insta::with_settings!({ filters => [(r"there are [0-9,-]+", "there are [list]")] }, {
        insta::assert_snapshot!(said.join("\n"));
    });
}

#[test]
fn statistics_and_facts_of_a_running_container() {
    let root = rootfs();
    let name = unique("running");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cgroups"));
    command.args(["run", "--name", &name, "--memory", "64m"]).arg(root.path());
    let mut container = command.args(["sh", "-c", "echo up; exec sleep 1000"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut up = [0; 3];
    container.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
    let plan = Plan::new("skiff", &name, Limits { memory: Some(64 << 20), ..Limits::default() });
    let group = Cgroup::open(&Hierarchies::discover().unwrap(), &plan.path).unwrap();
    let pid: Pid = *group.processes().unwrap().first().unwrap();

    let stats = Command::new(env!("CARGO_BIN_EXE_cgroups")).args(["stats", &name]).output().unwrap();
    let facts = CgroupStage::new(plan.clone()).probe(pid).unwrap();
    let mut exec = CgroupStage::existing(&plan.path);
    let prepared = exec.prepare().and_then(|()| exec.release());
    group.kill().unwrap();
    container.wait().unwrap();

    assert!(stdout(&stats).contains(" of 64MiB\npids    1 of no limit\n"), "{stats:?}");
    let memory = facts.iter().find(|fact| fact.source.starts_with("memory."));
    assert_eq!(memory.unwrap().value, (64 << 20).to_string());
    assert!(facts.iter().any(|fact| fact.value.ends_with(&format!("/skiff/{name}"))), "{facts:?}");
    prepared.unwrap();
    assert!(gone("running"), "the stage of an exec leaves the group to its owner");
}
