//! Groups on the real kernel, as root. Each test has a group of its own at the top of the trees and removes it at the end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cgroups::{Cgroup, Controller, DeviceRule, Hierarchies, Limits, Plan, Version, format_size};

/// A group that is killed and removed at the end of its test, however the test ends.
struct Group {
    hierarchies: Hierarchies,
    path: PathBuf,
    cgroup: Cgroup,
}

impl Group {
    fn new(limits: Limits) -> Self {
        Self::on(Hierarchies::discover().unwrap(), limits)
    }

    fn on(hierarchies: Hierarchies, limits: Limits) -> Self {
        let path = unique();
        let cgroup = Cgroup::create(&hierarchies, &Plan { path: path.clone(), limits }).unwrap();
        Self { hierarchies, path, cgroup }
    }

    /// A shell that joins the group and then runs `script`.
    fn shell(&self, script: &str) -> Child {
        let file = if self.hierarchies.version == Version::V1 { "tasks" } else { "cgroup.procs" };
        let join = self
            .directories()
            .map(|directory| format!("echo 0 > {}", directory.join(file).display()))
            .collect::<Vec<_>>()
            .join("\n");
        let mut command = Command::new("sh");
        command.args(["-c", &format!("set -e\n{join}\nset +e\n{script}")]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn directories(&self) -> impl Iterator<Item = PathBuf> {
        self.hierarchies.mounts.iter().map(|hierarchy| hierarchy.mount_point.join(&self.path))
    }

    fn says(&self, controller: Controller, file: &str) -> String {
        self.cgroup.read(controller, file).unwrap().unwrap().trim().to_owned()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.cgroup.thaw();
        let _ = self.cgroup.kill();
        let removed = Cgroup::remove(&self.hierarchies, &self.path);
        assert!(std::thread::panicking() || removed.is_ok(), "{removed:?}");
    }
}

fn unique() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("skiff-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)).into()
}

fn version_1() -> bool {
    let version = Hierarchies::discover().unwrap().version;
    if version == Version::V2 {
        eprintln!("skipped: this machine has cgroup version 2 only");
    }
    version == Version::V1
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn limits_can_be_read_back() {
    let group = Group::new(Limits {
        memory: Some(64 << 20),
        memory_swap: Some(64 << 20),
        cpu_shares: Some(512),
        cpuset_cpus: Some("0".into()),
        pids_max: Some(17),
        devices: Some(vec![DeviceRule::character(1, 3)]),
        ..Limits::default().nano_cpus(500_000_000)
    });
    let stats = group.cgroup.stats().unwrap();
    assert_eq!((stats.memory.limit, stats.pids.limit), (Some(64 << 20), Some(17)));
    assert_eq!(group.says(Controller::Cpuset, "cpuset.cpus"), "0");
    if group.cgroup.version() == Version::V1 {
        assert_eq!(group.says(Controller::Memory, "memory.memsw.limit_in_bytes"), (64 << 20).to_string());
        assert_eq!(group.says(Controller::Cpu, "cpu.shares"), "512");
        assert_eq!(group.says(Controller::Cpu, "cpu.cfs_quota_us"), "50000");
        assert_eq!(group.says(Controller::Devices, "devices.list"), "c 1:3 rwm");
    } else {
        assert_eq!(group.says(Controller::Cpu, "cpu.weight"), "59");
        assert_eq!(group.says(Controller::Cpu, "cpu.max"), "50000 100000");
    }
}

#[test]
fn the_memory_limit_kills_once_and_says_so() {
    let group = Group::new(Limits { memory: Some(16 << 20), memory_swap: Some(16 << 20), ..Limits::default() });
    assert_eq!(group.cgroup.oom_kills().unwrap(), 0);
    // `tail` keeps the last line, and /dev/zero is one endless line.
    let output = group.shell("exec tail /dev/zero").wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(9));
    assert_eq!(group.cgroup.oom_kills().unwrap(), 1);
    let memory = group.cgroup.stats().unwrap().memory;
    assert!(memory.peak <= 16 << 20 && memory.oom_kills == 1, "{memory:?}");
}

#[test]
fn the_process_limit_holds_a_fork_bomb_and_kill_ends_it() {
    let group = Group::new(Limits { pids_max: Some(30), ..Limits::default() });
    let mut bomb = group.shell("f() { f & f; }; while :; do f 2> /dev/null; done");
    eventually("the bomb has gone off", || group.cgroup.stats().unwrap().pids.current >= 25);
    for _ in 0..20 {
        assert!(group.cgroup.stats().unwrap().pids.current <= 30);
    }
    group.cgroup.kill().unwrap();
    assert_eq!(group.cgroup.processes().unwrap(), []);
    bomb.wait().unwrap();
}

#[test]
fn frozen_processes_stand_still_and_go_on() {
    let group = Group::new(Limits::default());
    let mut busy = group.shell("while :; do :; done");
    let used = || group.cgroup.stats().unwrap().cpu.usage_ns;
    eventually("it uses the processor", || used() > 5_000_000);
    group.cgroup.freeze().unwrap();
    let before = used();
    std::thread::sleep(Duration::from_millis(60));
    assert_eq!(used(), before);
    group.cgroup.thaw().unwrap();
    eventually("it goes on", || used() > before + 5_000_000);
    group.cgroup.freeze().unwrap();
    group.cgroup.kill().unwrap();
    assert_eq!(busy.wait().unwrap().signal(), Some(9), "a frozen process can be killed");
}

#[test]
fn statistics_grow() {
    let group = Group::new(Limits::default());
    let empty = group.cgroup.stats().unwrap();
    assert_eq!(empty.pids.current, 0);
    let mut shell = group.shell("x=$(head -c 8000000 /dev/zero | tr '\\0' x); sleep 1000");
    eventually("it has filled its memory", || group.cgroup.stats().unwrap().memory.usage > 8_000_000);
    let stats = group.cgroup.stats().unwrap();
    assert!(stats.cpu.usage_ns > 0 && stats.cpu.user_ns + stats.cpu.system_ns > 0);
    assert!(stats.memory.peak >= stats.memory.usage && stats.memory.limit.is_none());
    assert!(stats.memory.working_set() > 4_000_000 && stats.memory.stat.len() > 10);
    assert!(stats.pids.current >= 1 && !group.cgroup.processes().unwrap().is_empty());
    shell.kill().unwrap();
    shell.wait().unwrap();
}

#[test]
fn limits_can_be_raised_and_lowered() {
    let limits =
        |memory: u64| Limits { memory: Some(memory), memory_swap: i64::try_from(memory).ok(), ..Limits::default() };
    let group = Group::new(limits(64 << 20));
    for memory in [128_u64 << 20, 32 << 20, 512 << 20] {
        group.cgroup.update(&limits(memory)).unwrap();
        assert_eq!(group.cgroup.stats().unwrap().memory.limit, Some(memory), "{}", format_size(memory));
    }
    group.cgroup.update(&Limits { pids_max: Some(5), ..Limits::default() }).unwrap();
    let stats = group.cgroup.stats().unwrap();
    assert_eq!((stats.pids.limit, stats.memory.limit), (Some(5), Some(512 << 20)), "the rest stays");
}

#[test]
fn a_limit_below_what_is_used_is_refused_in_words() {
    if !version_1() {
        return;
    }
    let group = Group::new(Limits::default());
    let mut shell = group.shell("x=$(head -c 30000000 /dev/zero | tr '\\0' x); sleep 1000");
    eventually("it has filled its memory", || group.cgroup.stats().unwrap().memory.usage > 30_000_000);
    let failure = group.cgroup.update(&Limits { memory: Some(1 << 20), ..Limits::default() }).unwrap_err();
    let text = failure.to_string().replace(&group.path.display().to_string(), "GROUP");
    insta::assert_snapshot!(text, @r#"cannot set memory.limit_in_bytes to "1048576" for the cgroup /GROUP: Device or resource busy"#);
    let hint = failure.hint.unwrap();
    assert!(hint.starts_with("The processes use ") && hint.contains("Choose a limit above that"), "{hint}");
    shell.kill().unwrap();
    shell.wait().unwrap();
}

#[test]
fn processors_that_are_not_there_are_refused_in_words_and_nothing_remains() {
    for (set, hostile) in [("6000", false), ("1-4294967295", true)] {
        let (hierarchies, path) = (Hierarchies::discover().unwrap(), unique());
        let limits = Limits { cpuset_cpus: Some(set.into()), ..Limits::default() };
        let failure = Cgroup::create(&hierarchies, &Plan { path: path.clone(), limits: limits.clone() }).unwrap_err();
        assert!(failure.hint.as_ref().is_some_and(|hint| hint.contains("there are 0")), "{failure:?}");
        assert_eq!(limits.validate().is_err(), hostile, "the parser's bound comes before the kernel's");
        assert!(hierarchies.mounts.iter().all(|hierarchy| !hierarchy.mount_point.join(&path).exists()));
    }
}

#[test]
fn devices_that_are_not_allowed_cannot_be_opened() {
    if !version_1() {
        return;
    }
    let group = Group::new(Limits { devices: Some(DeviceRule::defaults()), ..Limits::default() });
    let node = std::env::temp_dir().join(unique());
    let script = format!("echo x > /dev/null && echo null; mknod {0} b 7 200 && echo made; : < {0}", node.display());
    let output = group.shell(&script).wait_with_output().unwrap();
    fs::remove_file(&node).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "null\nmade\n");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not permitted"), "{output:?}");
}

#[test]
fn removing_is_idempotent_and_takes_inner_groups_along() {
    let group = Group::new(Limits::default());
    for directory in group.directories() {
        fs::create_dir_all(directory.join("inner/innermost")).unwrap();
    }
    for _ in 0..2 {
        Cgroup::remove(&group.hierarchies, &group.path).unwrap();
        assert!(group.directories().all(|directory| !directory.exists()));
    }
    assert!(Cgroup::open(&group.hierarchies, &group.path).unwrap_err().to_string().contains("No such file"));
}

#[test]
fn a_busy_group_is_not_removed_and_says_by_whom() {
    let group = Group::new(Limits::default());
    let mut shell = group.shell("exec sleep 1000");
    eventually("it has joined", || !group.cgroup.processes().unwrap().is_empty());
    let failure = Cgroup::remove(&group.hierarchies, &group.path).unwrap_err();
    assert!(failure.hint.as_ref().unwrap().contains(&shell.id().to_string()), "{failure:?}");
    let plan = Plan { path: group.path.clone(), limits: Limits::default() };
    let failure = Cgroup::create(&group.hierarchies, &plan).unwrap_err();
    assert!(failure.to_string().contains("processes are in it"), "{failure}");
    shell.kill().unwrap();
    shell.wait().unwrap();
    eventually("the process has left", || group.cgroup.processes().unwrap().is_empty());
    Cgroup::create(&group.hierarchies, &plan).expect("an empty one that was left over is used");
}

#[test]
fn missing_parents_are_made_ready() {
    let (hierarchies, parent) = (Hierarchies::discover().unwrap(), unique());
    let plan = Plan::new(&parent, "a/b", Limits { memory: Some(64 << 20), ..Limits::default() });
    let made = Cgroup::create(&hierarchies, &plan).map(|cgroup| cgroup.read(Controller::Cpuset, "cpuset.cpus"));
    Cgroup::remove(&hierarchies, &parent).unwrap();
    let cpus = made.unwrap().unwrap().unwrap();
    assert!(hierarchies.version == Version::V2 || cpus.starts_with('0'), "{cpus:?}");
}

/// The version 2 tree of a hybrid machine has no controllers of ours, but all that concerns processes.
#[test]
fn the_version_2_tree_freezes_and_kills_as_well() {
    let mount_point = Path::new("/sys/fs/cgroup/unified");
    if !mount_point.join("cgroup.procs").exists() {
        eprintln!("skipped: no version 2 tree beside the others");
        return;
    }
    let table = format!("41 31 0:38 / {} rw - cgroup2 cgroup2 rw", mount_point.display());
    let group = Group::on(Hierarchies::parse(table.as_bytes()).unwrap(), Limits::default());
    let mut shell = group.shell("sleep 1000 & exec sleep 1000");
    eventually("both have joined", || group.cgroup.processes().unwrap().len() == 2);
    group.cgroup.freeze().unwrap();
    group.cgroup.thaw().unwrap();
    group.cgroup.freeze().unwrap();
    group.cgroup.kill().unwrap();
    assert_eq!(shell.wait().unwrap().signal(), Some(9));
    let failure = group.cgroup.update(&Limits { memory: Some(64 << 20), ..Limits::default() }).unwrap_err();
    assert!(failure.hint.unwrap().contains("memory controller"), "a controller that is not there is named");
}
