//! The kernel's own files inside a container: what may be read there, and that nothing of the host can be written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;
use skiff_tests::{Bundle, Daemon};

/// CVE-2022-0492, CVE-2023-25809: `release_agent` of version 1 names a program that the host runs; a writable tree is also
/// a way to one's own limits.
#[test]
fn the_cgroup_tree_can_only_be_read() {
    let daemon = Daemon::start();
    let script = "for f in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release -o -name cgroup.procs -o -name tasks \
                  -o -name memory.max -o -name memory.limit_in_bytes -o -name devices.allow); do (: >> $f) 2> /dev/null && echo $f; done; \
                  mkdir /sys/fs/cgroup/x 2> /dev/null && echo made; \
                  grep ' /sys/fs/cgroup' /proc/self/mountinfo | grep -v ' ro,' ; \
                  grep -c ' /sys/fs/cgroup' /proc/self/mountinfo";
    for mode in [&["--cgroupns", "private"][..], &["--cgroupns", "host"]] {
        let ran = daemon.skiff(&[&["run", "--rm"], mode, &["busybox", "sh", "-c", script]].concat());
        let count: u32 = ran.ok().parse().unwrap_or(0);
        assert!(count > 0, "the trees are there, and nothing of them can be written: {ran}");
    }
    // And none can be mounted again.
    for kind in ["cgroup -o memory", "cgroup2"] {
        let script = format!("mkdir /tmp/c && mount -t {kind} cgroup /tmp/c && echo mounted");
        let ran = daemon.skiff(&["run", "--rm", "busybox", "sh", "-c", &script]);
        assert!(ran.code != 0 && !ran.stdout.contains("mounted"), "{ran}");
    }
    daemon.finish();
}

/// CVE-2018-10892, GHSA-6fw5-f8r9-fgfm, GHSA-jq35-85cj-fj4p, CVE-2015-3630: files that say too much about the host have
/// nothing in them.
#[test]
fn files_that_tell_of_the_host_are_masked() {
    let daemon = Daemon::start();
    let script = "for p in /proc/acpi /proc/asound /proc/scsi /sys/firmware /sys/devices/virtual/powercap; do \
                  test -d $p && test -n \"$(ls -A $p)\" && echo $p; done; \
                  for p in /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats \
                  /proc/sched_debug; do test -e $p && test $(head -c 1 $p | wc -c) != 0 && echo $p; done; \
                  for p in /sys/devices/system/cpu/cpu*/thermal_throttle; do test -d $p && test -n \"$(ls -A $p)\" && echo $p; \
                  done; true";
    let ran = daemon.skiff(&["run", "--rm", "busybox", "sh", "-c", script]);
    assert_eq!(ran.ok(), "", "{ran}");
    daemon.finish();
}

/// CVE-2015-3629, CVE-2015-3631: what steers the kernel can be read and not written.
#[test]
fn switches_of_the_kernel_cannot_be_written() {
    let daemon = Daemon::start();
    let script = "for p in /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/panic_on_oom \
                  /proc/sysrq-trigger /proc/irq/default_smp_affinity /proc/bus/x /proc/fs/x /sys/kernel/uevent_helper \
                  /sys/power/state; do (echo x > $p) 2> /dev/null && echo $p; done; \
                  mount -o remount,rw /proc/sys 2> /dev/null && echo remounted; \
                  umount /proc/kcore 2> /dev/null && echo unmasked; true";
    assert_eq!(daemon.skiff(&["run", "--rm", "busybox", "sh", "-c", script]).ok(), "");
    daemon.finish();
}

/// CVE-2022-0811: a sysctl's value or name smuggled another one in, such as `kernel.core_pattern`.
#[test]
fn only_sysctls_of_a_namespace_can_be_set() {
    let before = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    for (name, value) in [
        ("kernel.core_pattern", "|/tmp/x"),
        ("kernel/core_pattern", "|/tmp/x"),
        ("kernel.shm_rmid_forced", "1+kernel.core_pattern=|/tmp/x"),
        ("kernel.shm_rmid_forced\nkernel.core_pattern", "|/tmp/x"),
        ("net.ipv4.ip_forward=1+kernel.core_pattern", "|/tmp/x"),
        ("net.../kernel.core_pattern", "|/tmp/x"),
        ("net/../kernel/core_pattern", "|/tmp/x"),
        ("vm.panic_on_oom", "0"),
    ] {
        let mut bundle = Bundle::new("true");
        bundle.config["linux"]["sysctl"] = json!({ name: value });
        let ran = bundle.run();
        assert_ne!(ran.code, 0, "{name:?}={value:?}: {ran}");
    }
    assert_eq!(std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap(), before);
    let mut bundle = Bundle::new("cat /proc/sys/kernel/shm_rmid_forced");
    bundle.config["linux"]["sysctl"] = json!({ "kernel.shm_rmid_forced": "1" });
    assert_eq!(bundle.run().ok(), "1", "one of a namespace's own");
}
