//! A part of the trees that belongs to an ordinary user: what a session manager does for rootless containers.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use cgroups::{Cgroup, Controller, Hierarchies, Limits, Plan};

use crate::group::{Group, version};

/// Nobody's number on any machine.
const USER: u32 = 61_234;

/// Set for the part of the test that runs as the user: the group that is his.
const OURS: &str = "SKIFF_TEST_DELEGATED";

#[test]
fn an_ordinary_user_makes_groups_in_what_is_his() {
    if let Some(ours) = std::env::var_os(OURS) {
        as_the_user(ours.as_ref());
        return;
    }
    let group = Group::new(Limits::default());
    for directory in group.directories().filter(|directory| directory.exists()) {
        chown(&directory, Some(USER), Some(USER)).unwrap();
        // What cgroups(7) says is to be given away in version 2, and its like in version 1.
        for file in ["cgroup.procs", "tasks", "cgroup.subtree_control", "cgroup.threads"] {
            let file = directory.join(file);
            if file.exists() {
                chown(file, Some(USER), Some(USER)).unwrap();
            }
        }
        if version() == cgroups::Version::V2 {
            // The user's shell is a group inside, so that this one may pass its controllers on.
            fs::create_dir(directory.join("shell")).unwrap();
            chown(directory.join("shell/cgroup.procs"), Some(USER), Some(USER)).unwrap();
            fs::write(directory.join("cgroup.subtree_control"), "+memory +pids +cpu").unwrap();
        }
    }
    // This very test again, as the user. `/proc/self/exe` is a way to the program that needs no rights on directories.
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", "delegated::an_ordinary_user_makes_groups_in_what_is_his", "--nocapture"]);
    command.env(OURS, &group.path).uid(USER).gid(USER).current_dir("/");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Only root's rights are missing: the limits, the numbers and the end are as for anybody.
fn as_the_user(ours: &std::path::Path) {
    let hierarchies = Hierarchies::discover().unwrap();
    let limits = Limits { memory: Some(32 << 20), pids_max: Some(7), cpu_shares: Some(512), ..Limits::default() };
    let plan = Plan { path: ours.join("box"), limits };
    let cgroup = Cgroup::create(&hierarchies, &plan).unwrap();
    let stats = cgroup.stats().unwrap();
    assert_eq!((stats.memory.limit, stats.pids.limit), (Some(32 << 20), Some(7)));
    cgroup.update(&Limits { pids_max: Some(9), ..Limits::default() }).unwrap();
    assert_eq!(cgroup.read(Controller::Pids, "pids.max").unwrap().unwrap().trim(), "9");
    assert_eq!(cgroup.processes().unwrap(), []);
    Cgroup::destroy(&hierarchies, &plan.path).unwrap();
    // The group above is not his: nothing can be made there.
    let elsewhere = Plan { path: "skiff-test-not-his".into(), limits: Limits::default() };
    let failure = Cgroup::create(&hierarchies, &elsewhere).unwrap_err();
    assert!(failure.is(rustix::io::Errno::ACCESS), "{failure:?}");
}
