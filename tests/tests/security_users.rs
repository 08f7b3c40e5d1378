//! Who a program runs as: ids that wrap, names that look like ids, files of the image that never end.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use skiff_tests::{Bundle, Daemon, run};

/// CVE-2026-46680, CVE-2026-30892, CVE-2024-40635: digits are always a number, of 31 bits, and never looked up as a name.
#[test]
fn digits_are_always_ids() {
    let daemon = Daemon::start();
    daemon.skiff(&["run", "-d", "--name", "box", "busybox", "sleep", "1000"]).ok();
    let script = "echo '1234:x:0:0::/:/bin/sh' >> /etc/passwd; echo '4321:x:0:' >> /etc/group";
    daemon.skiff(&["exec", "box", "sh", "-c", script]).ok();
    for (user, ids) in [
        ("1234", "1234:0"),
        ("1234:4321", "1234:4321"),
        ("0", "0:0"),
        ("root", "0:0"),
        ("web", "1000:1000"),
        ("web:staff", "1000:50"),
        ("1000", "1000:1000"),
        ("65534:65534", "65534:65534"),
        ("2147483647", "2147483647:0"),
        ("00", "0:0"),
    ] {
        let ran = daemon.skiff(&["exec", "-u", user, "box", "sh", "-c", "echo $(id -u):$(id -g)"]);
        assert_eq!(ran.ok(), ids, "{user}");
    }
    for user in [
        "-1",
        "2147483648",
        "4294967295",
        "4294967296",
        "18446744073709551616",
        "0:4294967296",
        "nobody-here",
        "1000:nogroup-here",
        ":x",
        "web:",
    ] {
        let ran = daemon.skiff(&["exec", "-u", user, "box", "id"]);
        // An empty half is its default, as docker has it.
        assert!(ran.code != 0 || user.ends_with(':'), "{user}: {ran}");
    }
    daemon.skiff(&["rm", "-f", "box"]).ok();
    daemon.finish();
}

/// CVE-2022-2990, CVE-2022-2995, CVE-2022-36109, CVE-2023-25173: the groups of a program have its primary one among them.
#[test]
fn groups_have_the_primary_one_among_them() {
    let daemon = Daemon::start();
    for (user, groups) in [("web", "1000 50"), ("1000", "1000 50"), ("web:staff", "50"), ("0:50", "50"), ("4000", "0")]
    {
        let ran = daemon.skiff(&["run", "--rm", "-u", user, "busybox", "id", "-G"]);
        let mut found: Vec<_> = ran.ok().split(' ').collect();
        let mut wanted: Vec<_> = groups.split(' ').collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{user}");
    }
    daemon.finish();
}

/// Busybox as a tar, with the `etc` that `make` leaves.
fn image(directory: &Path, make: fn(&Path)) -> PathBuf {
    let (root, tar) = (directory.join("root"), directory.join("image.tar"));
    fs::create_dir(&root).unwrap();
    run(Command::new("tar").arg("-xf").arg(skiff_tests::busybox_tar()).arg("-C").arg(&root), b"").ok();
    make(&root.join("etc"));
    run(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg("."), b"").ok();
    tar
}

fn fifos(etc: &Path) {
    for name in ["passwd", "group"] {
        fs::remove_file(etc.join(name)).unwrap();
        run(Command::new("mkfifo").arg(etc.join(name)), b"").ok();
    }
}

fn links_to_a_device(etc: &Path) {
    for name in ["passwd", "group"] {
        fs::remove_file(etc.join(name)).unwrap();
        symlink("/dev/zero", etc.join(name)).unwrap();
    }
}

fn link_outside(etc: &Path) {
    fs::remove_file(etc.join("passwd")).unwrap();
    symlink("../../../../../../etc/passwd", etc.join("passwd")).unwrap();
}

/// CVE-2026-47262, CVE-2024-9676: `/etc/passwd` and `/etc/group` of the image are a fifo, a device, a link outside, endless.
#[test]
fn files_of_the_image_can_neither_hang_nor_fill_memory() {
    let daemon = Daemon::start();
    for (name, make) in [("fifos", fifos as fn(&Path)), ("links", links_to_a_device), ("outside", link_outside)] {
        let directory = tempfile::tempdir().unwrap();
        let tar = image(directory.path(), make);
        daemon.skiff(&["import", tar.to_str().unwrap(), name]).ok();
        let ran = daemon.skiff(&["run", "--rm", "-u", "web", name, "id", "-u"]);
        assert_ne!(ran.code, 0, "no such user can be found there: {ran}");
    }
    // 64 GB that take no place on the disk.
    daemon.skiff(&["run", "-d", "--name", "box", "busybox", "sleep", "1000"]).ok();
    daemon.skiff(&["exec", "box", "truncate", "-s", "64G", "/etc/passwd"]).ok();
    let ran = daemon.skiff(&["exec", "-u", "web", "box", "id"]);
    assert!(ran.code != 0 && format!("{}{}", ran.stdout, ran.stderr).contains("/etc/passwd"), "{ran}");
    daemon.skiff(&["rm", "-f", "box"]).ok();
    daemon.finish();
    // Numbers need no file.
    let bundle = Bundle::new("id -u");
    for name in ["etc/passwd", "etc/group"] {
        fs::File::options().write(true).open(bundle.rootfs(name)).unwrap().set_len(1 << 36).unwrap();
    }
    assert_eq!(bundle.run().ok(), "0");
}

/// CVE-2022-24769, CVE-2022-27649, CVE-2022-27650, CVE-2022-29162, CVE-2016-8867: what a program without rights could get
/// back by executing another is empty, for the first program and for those that follow.
#[test]
fn no_capability_is_inheritable_or_ambient() {
    let daemon = Daemon::start();
    daemon.skiff(&["run", "-d", "--name", "box", "busybox", "sleep", "1000"]).ok();
    let sets = ["grep", "-E", "Cap(Inh|Amb)", "/proc/self/status"];
    let empty = "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000";
    for user in ["0", "web", "4000:4000"] {
        assert_eq!(daemon.skiff(&[&["run", "--rm", "-u", user, "busybox"], &sets[..]].concat()).ok(), empty, "{user}");
        assert_eq!(daemon.skiff(&[&["exec", "-u", user, "box"], &sets[..]].concat()).ok(), empty, "{user}");
        let effective = daemon.skiff(&["exec", "-u", user, "box", "grep", "CapEff", "/proc/self/status"]);
        assert_eq!(effective.ok().ends_with("\t0000000000000000"), user != "0", "{user}: {effective}");
    }
    daemon.skiff(&["rm", "-f", "box"]).ok();
    daemon.finish();
}

/// CVE-2014-8989: a file with the mode 0604 is for all but its group. Who may leave his groups is not kept out any more, and in
/// a user namespace of his own everybody was root, who may. So the kernel takes the map of an ordinary user's groups only
/// when setgroups(2) has been given up for good.
#[test]
fn an_ordinary_user_keeps_the_groups_that_he_is_kept_out_by() {
    const USER: &str = "4242";
    const KEPT_OUT: u32 = 4243;
    let script = "cat /proc/self/setgroups; cat /forbidden || echo kept out; \
                  chroot --userspec=0:0 --groups=0 / cat /forbidden || echo still kept out";
    let bundle = Bundle::new(script);
    let directory = bundle.directory();
    let forbidden = bundle.rootfs("forbidden");
    run(Command::new("cp").arg(skiff_tests::binary("skiff-runtime")).arg(directory.join("runtime")), b"").ok();
    run(Command::new("chown").args(["-R", USER]).arg(directory), b"").ok();
    let as_user = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--groups", &KEPT_OUT.to_string()]).args(words);
        run(command.env("XDG_RUNTIME_DIR", directory).current_dir(directory), b"")
    };
    if as_user(&["unshare", "--user", "true"]).code != 0 {
        return eprintln!("this machine lets no ordinary user make a user namespace: not tried");
    }
    fs::remove_file(directory.join("config.json")).unwrap();
    as_user(&["./runtime", "spec", "--rootless"]).ok();
    let text = fs::read(directory.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&text).unwrap();
    config["process"]["terminal"] = false.into();
    config["process"]["args"] = serde_json::json!(["sh", "-c", script]);
    fs::write(directory.join("config.json"), config.to_string()).unwrap();
    fs::write(&forbidden, "read\n").unwrap();
    std::os::unix::fs::chown(&forbidden, Some(0), Some(KEPT_OUT)).unwrap();
    fs::set_permissions(&forbidden, std::os::unix::fs::PermissionsExt::from_mode(0o604)).unwrap();
    let ran = as_user(&["./runtime", "run", "ordinary"]);
    assert_eq!(ran.stdout, "deny\nkept out\nstill kept out\n", "{}", ran.stderr);
}
