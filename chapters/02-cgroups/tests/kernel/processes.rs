//! All processes of a group at once.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use cgroups::{Limits, Version};
use rustix::io::Errno;

use crate::group::{Group, eventually, rounds, version, version_2_tree};

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

/// Beside version 1 it has no controllers of ours, but all that concerns processes.
#[test]
fn the_version_2_tree_freezes_and_kills_as_well() {
    let Some(tree) = version_2_tree() else { return eprintln!("skipped: no version 2 tree") };
    let group = Group::on(tree, Limits::default());
    let mut shell = group.shell("sleep 1000 & exec sleep 1000");
    eventually("both have joined", || group.cgroup.processes().unwrap().len() == 2);
    group.cgroup.freeze().unwrap();
    group.cgroup.thaw().unwrap();
    group.cgroup.freeze().unwrap();
    group.cgroup.kill().unwrap();
    assert_eq!(shell.wait().unwrap().signal(), Some(9));
    let limited = group.cgroup.update(&Limits { memory: Some(64 << 20), ..Limits::default() });
    if version() == Version::V1 {
        let hint = limited.unwrap_err().hint.unwrap();
        assert!(hint.contains("memory controller"), "a controller that is not there is named: {hint}");
    }
}

#[test]
fn nobody_is_no_group_to_freeze() {
    let group = Group::new(Limits::default());
    let failure = group.cgroup.freeze().unwrap_err();
    assert!(failure.is(Errno::SRCH), "{failure:?}");
    let mut shell = group.shell("echo up");
    assert!(shell.wait().unwrap().success(), "and who comes later does not stand");
}

/// A container as the kernel sees it: a first process with a pid namespace of its own, and children that die with it.
const CONTAINER: &str = "exec unshare --pid --fork --kill-child sh -c 'sleep 1000 & sleep 1000 & sleep 1000 & wait'";

/// Freezing in the middle of a kill must not leave the dying standing: they would keep the group, and whoever waits for
/// them, for ever. Whoever comes first, the container ends.
#[test]
fn a_freeze_that_meets_a_kill_loses() {
    for round in 0..rounds(20, 1_000) {
        let group = Group::new(Limits::default());
        let mut shell = group.shell(CONTAINER);
        eventually("all have joined", || group.cgroup.processes().unwrap().len() == 5);
        std::thread::scope(|scope| {
            let freezer = scope.spawn(|| while group.cgroup.freeze().is_ok() {});
            std::thread::sleep(Duration::from_micros(u64::from(round % 16) * 100));
            group.cgroup.kill().unwrap();
            freezer.join().unwrap();
        });
        assert_eq!(group.cgroup.processes().unwrap(), []);
        assert_eq!(shell.wait().unwrap().signal(), Some(9));
    }
}

/// The same with a killer who knows nothing of groups, and thaws once, afterwards.
#[test]
fn a_freeze_that_meets_a_signal_lets_go() {
    for round in 0..rounds(20, 1_000) {
        let group = Group::new(Limits::default());
        let mut shell = group.shell(CONTAINER);
        eventually("all have joined", || group.cgroup.processes().unwrap().len() == 5);
        std::thread::scope(|scope| {
            let freezer = scope.spawn(|| group.cgroup.freeze());
            std::thread::sleep(Duration::from_micros(u64::from(round % 16) * 50));
            shell.kill().unwrap();
            group.cgroup.thaw().unwrap();
            let _frozen_before_or_too_late = freezer.join().unwrap();
        });
        // Where the freeze came last it has let go, or it came first and was thawed: either way they all end.
        eventually("all have ended", || group.cgroup.processes().unwrap().is_empty());
        shell.wait().unwrap();
    }
}
