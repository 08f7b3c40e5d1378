//! Memory: the limit that kills, the numbers that grow, and being told.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use cgroups::{Limits, MemoryEvent};

use crate::group::{Group, eventually};

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
fn whoever_watches_is_told_that_memory_ran_out() {
    let group = Group::new(Limits { memory: Some(16 << 20), memory_swap: Some(16 << 20), ..Limits::default() });
    let mut watch = group.cgroup.watch_memory().unwrap();
    assert_eq!(watch.next(&group.cgroup, Duration::ZERO).unwrap(), None, "nothing has happened yet");
    let mut shell = group.shell("exec tail /dev/zero");
    loop {
        // Pressure may be told first.
        match watch.next(&group.cgroup, Duration::from_mins(1)).unwrap() {
            Some(MemoryEvent::OutOfMemory) => break,
            Some(MemoryEvent::Pressure) => {}
            None => panic!("nothing was told in a minute"),
        }
    }
    assert_eq!(shell.wait().unwrap().signal(), Some(9));
    assert_eq!(group.cgroup.oom_kills().unwrap(), 1);
}

/// A file twice as large as the memory it may use, read again and again: the kernel never comes to rest, and nobody dies.
#[test]
fn whoever_watches_is_told_of_pressure() {
    let group = Group::new(Limits { memory: Some(16 << 20), memory_swap: Some(16 << 20), ..Limits::default() });
    let mut watch = group.cgroup.watch_memory().unwrap();
    if !watch.tells_pressure() {
        eprintln!("this kernel does not measure pressure");
        return;
    }
    // Memory that cannot be given back, close to the limit, and page cache that always has to.
    let script = "x=$(head -c 9000000 /dev/zero | tr '\\0' x); while :; do cat \"$FILE\" > /dev/null; done";
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(64 << 20).unwrap();
    let mut shell = group.shell(&script.replace("$FILE", &file.path().display().to_string()));
    let told = watch.next(&group.cgroup, Duration::from_mins(1)).unwrap();
    group.cgroup.kill().unwrap();
    shell.wait().unwrap();
    assert!(told.is_some(), "nothing was told in a minute");
}
