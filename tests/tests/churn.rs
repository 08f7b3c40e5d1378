//! Two hundred containers, eight at a time: nothing is left, and the daemon does not grow.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use skiff_tests::Daemon;

/// Kilobytes of private memory, and the number of open descriptors.
fn cost(pid: u32) -> (u64, usize) {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let private = text.lines().filter(|line| line.starts_with("Private_"));
    let kilobytes = private.map(|line| line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()).sum();
    (kilobytes, std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count())
}

fn hundred(daemon: &Daemon) {
    std::thread::scope(|scope| {
        for worker in 0..8 {
            scope.spawn(move || {
                for number in (worker..100).step_by(8) {
                    let port = format!("{}:80", 10_000 + number);
                    let ran = daemon.skiff(&["run", "--rm", "-p", &port, "busybox", "echo", "hi"]);
                    assert_eq!(ran.ok(), "hi");
                }
            });
        }
    });
}

#[test]
fn two_hundred_containers_leave_nothing() {
    let daemon = Daemon::start();
    let rules = daemon.on_host(&["nft", "list", "ruleset"]).ok().to_owned();
    let links = daemon.on_host(&["ip", "-o", "link"]).ok().lines().count();
    hundred(&daemon);
    let (memory, _) = cost(daemon.pid());
    hundred(&daemon);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (later, descriptors) = cost(daemon.pid());
    assert!(later <= memory + 1024, "the daemon grew from {memory} to {later} kB");
    assert!(descriptors < 40, "the daemon holds {descriptors} descriptors");
    // The bridge has come with the first container and stays.
    assert!(daemon.on_host(&["ip", "-o", "link"]).ok().lines().count() <= links + 1);
    let after = daemon.on_host(&["nft", "list", "ruleset"]).ok().to_owned();
    assert_eq!(after.matches("dnat to").count(), rules.matches("dnat to").count(), "{after}");
    assert!(!after.contains("10000"), "{after}");
    assert_eq!(std::fs::read_dir(daemon.directory().join("data/containers")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(daemon.directory().join("exec/containers")).unwrap().count(), 0);
    daemon.finish();
}

#[test]
fn a_monitor_is_small() {
    let daemon = Daemon::start();
    // The second one tells what one more costs: the program's own pages are private only while there is but one monitor.
    daemon.skiff(&["run", "-d", "--name", "first", "busybox", "sleep", "60"]).ok();
    daemon.skiff(&["run", "-d", "--name", "idle", "busybox", "sleep", "60"]).ok();
    let pid: u32 = daemon.skiff(&["inspect", "-f", "{{.State.Pid}}", "idle"]).ok().parse().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let monitor = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
    let (kilobytes, _) = cost(monitor);
    assert!(kilobytes <= 150, "the monitor has {kilobytes} kB of private memory");
    daemon.skiff(&["rm", "-f", "first", "idle"]).ok();
    daemon.finish();
}
