//! The end of a group.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use cgroups::{Cgroup, Limits, Plan, Version};

use crate::group::{Group, eventually};

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
    let who = format!("{} (sleep, S (sleeping))", shell.id());
    assert!(failure.hint.as_ref().unwrap().contains(&who), "{failure:?}");
    let plan = Plan { path: group.path.clone(), limits: Limits::default() };
    let failure = Cgroup::create(&group.hierarchies, &plan).unwrap_err();
    assert!(failure.to_string().contains("not empty: 1 process(es)"), "{failure}");
    shell.kill().unwrap();
    shell.wait().unwrap();
    eventually("the process has left", || group.cgroup.processes().unwrap().is_empty());
    Cgroup::create(&group.hierarchies, &plan).expect("an empty one that was left over is used");
}

/// What a container leaves behind when its first process is gone, standing still or not.
#[test]
fn the_end_of_a_container_takes_along_who_is_left() {
    for frozen in [false, true] {
        let group = Group::new(Limits::default());
        let mut shell = group.shell("sleep 1000 & exec sleep 1000");
        eventually("both have joined", || group.cgroup.processes().unwrap().len() == 2);
        if frozen {
            group.cgroup.freeze().unwrap();
        }
        // The shell becomes a zombie that nobody has asked for yet: a zombie is in no group.
        Cgroup::destroy(&group.hierarchies, &group.path).unwrap();
        assert!(group.directories().all(|directory| !directory.exists()));
        assert_eq!(shell.wait().unwrap().signal(), Some(9));
        Cgroup::destroy(&group.hierarchies, &group.path).expect("what is not there is removed already");
    }
}

/// Who joins a frozen group never arrives, so a group that somebody left frozen is no place for a container. It is not
/// removed either: it was there before.
#[test]
fn a_frozen_group_is_refused_and_left_alone() {
    let group = Group::new(Limits::default());
    let (file, frozen) = match group.hierarchies.version {
        Version::V1 => ("freezer.state", "FROZEN"),
        Version::V2 => ("cgroup.freeze", "1"),
    };
    let directory = group.directories().find(|directory| directory.join(file).exists()).unwrap();
    fs::write(directory.join(file), frozen).unwrap();
    let plan = Plan { path: group.path.clone(), limits: Limits::default() };
    for _ in 0..2 {
        let failure = Cgroup::create(&group.hierarchies, &plan).unwrap_err();
        assert!(failure.to_string().contains("unexpectedly frozen"), "{failure}");
    }
    group.cgroup.thaw().unwrap();
    Cgroup::create(&group.hierarchies, &plan).unwrap();
}
