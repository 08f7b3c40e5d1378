//! Paths of an image that lead out of it: symlinks where the runtime mounts, makes devices, masks and writes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};

use serde_json::json;
use skiff_tests::{Bundle, Daemon};

/// A directory of the host beside the bundle that the links lead to, and must stay empty.
fn outside(bundle: &Bundle) -> std::path::PathBuf {
    let directory = bundle.directory().join("outside");
    fs::create_dir(&directory).unwrap();
    directory
}

fn is_empty(directory: &std::path::Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

/// CVE-2026-41579, CVE-2026-47766: `/dev` of the image is a link to a directory of the host; device nodes were made there.
#[test]
fn a_dev_that_leads_outside_gets_no_devices_there() {
    for target in ["../outside", "../../../../../../../../tmp", "/outside"] {
        let bundle = Bundle::new("true");
        let outside = outside(&bundle);
        fs::remove_dir(bundle.rootfs("dev")).unwrap();
        symlink(target, bundle.rootfs("dev")).unwrap();
        let _refused_or_resolved_inside = bundle.run();
        assert!(is_empty(&outside), "{target}");
        assert!(!std::path::Path::new("/tmp/null").exists() && !std::path::Path::new("/outside").exists());
    }
}

/// CVE-2023-27561, CVE-2023-28642: with `/proc` a link, masks and profiles were applied to something else.
#[test]
fn a_proc_or_sys_that_is_a_link_is_refused() {
    for path in ["proc", "sys"] {
        let bundle = Bundle::new("cat /proc/kcore | head -c 1; echo ran");
        fs::remove_dir(bundle.rootfs(path)).unwrap();
        fs::create_dir(bundle.rootfs("elsewhere")).unwrap();
        symlink("elsewhere", bundle.rootfs(path)).unwrap();
        let ran = bundle.run();
        assert_ne!(ran.code, 0, "{ran}");
        assert!(!ran.stdout.contains("ran") && ran.stderr.contains(path), "{ran}");
    }
}

/// CVE-2019-18837, CVE-2017-1002101: a mount goes to where a link of the image leads, outside of it.
#[test]
fn a_mount_point_that_leads_outside_stays_inside() {
    for target in ["../../../../../../outside", "/outside", "../outside"] {
        let bundle = Bundle::new("cat /target/file");
        let outside = outside(&bundle);
        let source = bundle.directory().join("source");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("file"), "here").unwrap();
        symlink(target, bundle.rootfs("target")).unwrap();
        let bundle =
            bundle.mount(json!({ "destination": "/target", "type": "bind", "source": source, "options": ["bind"] }));
        let ran = bundle.run();
        assert!(ran.code != 0 || ran.stdout == "here", "{ran}");
        assert!(is_empty(&outside) && !std::path::Path::new("/outside").exists(), "{target}");
    }
}

/// CVE-2025-31133: a path is masked by binding `/dev/null` over it. Where the image's `/dev/null` is a link to a file of the
/// kernel, that file appeared at the mask, writable.
#[test]
fn masks_are_made_of_the_real_null_device() {
    let script = "for p in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do \
                  test ! -e $p || (echo x > $p; echo $(head -c 1 $p | wc -c)); done";
    let mut bundle = Bundle::new(script);
    symlink("/proc/sys/kernel/printk", bundle.rootfs("dev/null")).unwrap();
    // Without the tmpfs on /dev the image's own node is what is there.
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| !mount["destination"].as_str().unwrap().starts_with("/dev"));
    let before = fs::read_to_string("/proc/sys/kernel/printk").unwrap();
    let ran = bundle.run();
    assert!(ran.code != 0 || ran.stdout.split_whitespace().all(|size| size == "0"), "a mask has nothing in it: {ran}");
    assert_eq!(fs::read_to_string("/proc/sys/kernel/printk").unwrap(), before);
}

/// CVE-2025-52565: `/dev/console` is the terminal that the runtime opened, not what the image has under its name.
#[test]
fn the_console_is_the_runtimes_own_terminal() {
    let daemon = Daemon::start();
    let script =
        "test -c /dev/console && test -t 0 && stat -c %t:%T /dev/console && stat -c %t:%T $(readlink /proc/self/fd/0)";
    let ran = daemon.skiff(&["run", "--rm", "-t", "busybox", "sh", "-c", script]);
    let numbers: Vec<_> = ran.ok().lines().map(str::trim).collect();
    assert_eq!(numbers.first(), numbers.last(), "{ran}");
    assert!(numbers.first().unwrap().starts_with("88:"), "a pseudo-terminal has the major number 136: {ran}");
    daemon.finish();
}

/// CVE-2025-52881, CVE-2019-19921, CVE-2019-16884: profiles and sysctls are written by names in `/proc`; a file system of
/// the container's choice there took the words and did nothing.
#[test]
fn nothing_but_proc_is_mounted_on_proc() {
    for destination in ["/proc", "/proc/self/attr", "/proc/sys", "/proc/self"] {
        let bundle =
            Bundle::new("echo ran").mount(json!({ "destination": destination, "type": "tmpfs", "source": "tmpfs" }));
        let ran = bundle.run();
        assert_ne!(ran.code, 0, "{destination}: {ran}");
        assert_eq!(ran.stdout, "", "{destination}: {ran}");
    }
    let source = tempfile::tempdir().unwrap();
    let daemon = Daemon::start();
    for destination in ["/proc", "/proc/self/attr", "/proc/sys"] {
        let volume = format!("{}:{destination}", source.path().display());
        let ran = daemon.skiff(&["run", "--rm", "-v", &volume, "busybox", "echo", "ran"]);
        assert_ne!(ran.code, 0, "{ran}");
    }
    daemon.finish();
}

/// The devices of a container are the real ones, whatever lay under their names in the image.
#[test]
fn devices_of_the_image_are_not_used() {
    let bundle = Bundle::new("test -c /dev/null && echo x > /dev/null && echo real");
    fs::create_dir_all(bundle.rootfs("dev")).unwrap();
    fs::write(bundle.rootfs("dev/null"), "a file").unwrap();
    assert_eq!(bundle.run().ok(), "real");
    assert!(!fs::metadata(bundle.rootfs("dev/null")).unwrap().file_type().is_char_device());
}
