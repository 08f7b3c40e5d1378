//! The file system: what is mounted, how, and where; devices and masks.

use serde_json::{Value, json};

use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    [ordinary(), binds(), attributes(), new_ones(), devices()].into_iter().flatten().collect()
}

fn ordinary() -> Vec<Case> {
    let plain = |name, script| Case::shell(name, script, json!({}));
    vec![
        plain(
            "mounts",
            "mount | grep -E ' on /(proc|dev|dev/shm|dev/mqueue|sys) ' | sed 's/size=[^,)]*//; s/inode64//'",
        ),
        plain("dev", "ls /dev | grep -v -E 'core|console'; test -c /dev/null && echo works > /dev/null"),
        plain(
            "readonly",
            "touch /x 2>&1; touch /tmp/x 2>&1; echo 1 2>&1 > /proc/sys/kernel/hostname; ls /proc/acpi /sys/firmware",
        ),
        plain("links", "cd /dev; readlink fd stdin stdout stderr ptmx"),
        plain(
            "masks",
            "cat /proc/keys /proc/timer_list 2>/dev/null | wc -c; ls /sys/firmware /proc/scsi 2>/dev/null | wc -l",
        ),
        Case::shell(
            "root-writable",
            "touch /x && ls /x; mount | grep ' / ' | grep -c rw",
            json!({ "root": { "readonly": false } }),
        ),
        Case::shell(
            "masks-of-ones-own",
            "ls -A /tmp | wc -l; cat /etc/passwd | wc -c; cat /etc/group | head -n 1",
            json!({ "linux": { "maskedPaths": ["/tmp", "/etc/passwd", "/not/there"] } }),
        ),
        Case::shell(
            "readonly-paths-of-ones-own",
            "touch /tmp/x 2>&1; touch /root/x && echo made",
            json!({ "root": { "readonly": false }, "linux": { "readonlyPaths": ["/tmp", "/not/there"] } }),
        ),
        propagation("propagation-private", "private"),
        propagation("propagation-slave", "rslave"),
        propagation("propagation-shared", "shared").except("runc", "1.1 leaves the root as it was"),
        propagation("propagation-unbindable", "unbindable").except("runc", "1.1 cannot bind such a root"),
    ]
}

/// How the root travels, as the kernel tells: `shared:N`, `master:N`, `unbindable`, or nothing.
fn propagation(name: &'static str, word: &str) -> Case {
    let script = "awk '$5 == \"/\" { print $7 }' /proc/self/mountinfo | sed 's/[0-9]//g'";
    Case::shell(name, script, json!({ "linux": { "rootfsPropagation": word } }))
}

fn merged(mut one: Value, other: Value) -> Value {
    for (key, value) in other.as_object().unwrap() {
        one[key] = value.clone();
    }
    one
}

/// The usual mounts and more.
fn with(more: Value) -> Value {
    let mut mounts: Value = serde_json::from_str(include_str!("../../src/oci/config.json")).unwrap();
    let mut mounts = mounts["mounts"].take();
    mounts.as_array_mut().unwrap().extend(more.as_array().unwrap().iter().cloned());
    json!({ "root": { "readonly": false }, "mounts": mounts })
}

fn bind(target: &str, source: &str, options: &[&str]) -> Value {
    json!({ "destination": target, "type": "bind", "source": source, "options": options })
}

fn binds() -> Vec<Case> {
    let shell = |name, script, mount: Value| Case::shell(name, script, with(json!([mount])));
    vec![
        shell("bind", "ls /mnt; touch /mnt/new && echo made; rm /mnt/new", bind("/mnt", "rootfs/etc", &["bind"])),
        shell("bind-file", "cat /mnt/file | head -n 1", bind("/mnt/file", "rootfs/etc/passwd", &["bind"])),
        shell("bind-over-a-file", "cat /etc/group | head -n 1", bind("/etc/group", "rootfs/etc/passwd", &["bind"])),
        shell("bind-deep", "ls -d /a/b/c; stat -c %a /a /a/b", bind("/a/b/c", "rootfs/etc", &["bind"])),
        shell(
            "bind-by-option",
            "ls /mnt",
            json!({ "destination": "/mnt", "type": "none", "source": "rootfs/etc", "options": ["rbind"] }),
        ),
        shell("bind-relative-target", "ls /mnt", bind("mnt", "rootfs/etc", &["bind"]))
            .except("runc", "1.1 does not take relative targets"),
        shell("bind-dev", "ls /host/null", bind("/host", "/dev", &["rbind"])),
        Case { refused: true, ..shell("bind-missing", "true", bind("/mnt", "/no/such/source", &["bind"])) },
        Case { refused: true, ..shell("bind-file-on-directory", "true", bind("/etc", "rootfs/etc/passwd", &["bind"])) },
        Case { refused: true, ..shell("bind-over-proc", "true", bind("/proc/self", "rootfs/etc", &["bind"])) }
            .except("crun", "1.8 lets procfs be disguised"),
        shell("bind-cpuinfo", "wc -l < /proc/cpuinfo", bind("/proc/cpuinfo", "rootfs/etc/passwd", &["bind"])),
    ]
}

fn attributes() -> Vec<Case> {
    const SHOWN: &str = "grep ' /mnt ' /proc/self/mountinfo | cut -d' ' -f6";
    let shown = |name, options: &[&str]| Case::shell(name, SHOWN, with(json!([bind("/mnt", "rootfs/etc", options)])));
    let below = |name, options: &[&str]| {
        let script = "grep ' /mnt/' /proc/self/mountinfo | cut -d' ' -f6 | cut -d, -f1 | sort -u";
        Case::shell(name, script, with(json!([bind("/mnt", "/dev", options)])))
    };
    vec![
        shown("bind-ro", &["bind", "ro"]),
        shown("bind-noexec", &["bind", "noexec", "nosuid", "nodev"]),
        shown("bind-noatime", &["bind", "noatime"]),
        shown("bind-later-wins", &["bind", "ro", "rw"]).except("crun", "1.8 takes ro, wherever it is"),
        Case::shell("bind-ro-holds", "touch /mnt/x 2>&1", with(json!([bind("/mnt", "rootfs/etc", &["bind", "ro"])]))),
        Case::shell(
            "bind-noexec-holds",
            "/mnt/busybox true 2>&1; echo $?",
            with(json!([bind("/mnt", "rootfs/bin", &["bind", "noexec"])])),
        ),
        below("rbind-ro-is-not-below", &["rbind", "ro"]),
        below("rbind-rro-is-below", &["rbind", "rro"]).except("runc", "1.1 has no recursive attributes"),
        shown("bind-nosymfollow", &["bind", "nosymfollow"])
            .except("runc", "1.1 takes it for an option of the file system")
            .except("crun", "1.8 takes it for an option of the file system"),
    ]
}

fn new_ones() -> Vec<Case> {
    let tmpfs =
        |options: &[&str]| json!({ "destination": "/mnt", "type": "tmpfs", "source": "tmpfs", "options": options });
    vec![
        Case::shell(
            "tmpfs",
            "stat -c '%a %u %g' /mnt; touch /mnt/x && echo made",
            with(json!([tmpfs(&["mode=700", "uid=33", "gid=5"])])),
        )
        .except("runc", "gives it the mode of the directory below"),
        Case::shell(
            "tmpfs-size",
            "dd if=/dev/zero of=/mnt/x bs=1024 count=100 2>/dev/null; stat -c %s /mnt/x",
            with(json!([tmpfs(&["size=64k"])])),
        ),
        Case::shell("tmpfs-ro", "touch /mnt/x 2>&1", with(json!([tmpfs(&["ro"])]))),
        Case::shell(
            "tmpfs-over-tmpfs",
            "grep -c ' /mnt ' /proc/self/mountinfo",
            with(json!([tmpfs(&[]), tmpfs(&["nosuid"])])),
        ),
        Case { refused: true, ..Case::new("tmpfs-wrong-option", &["true"], with(json!([tmpfs(&["no_such_option"])]))) },
        Case {
            refused: true,
            ..Case::new(
                "no-such-file-system",
                &["true"],
                with(json!([{ "destination": "/mnt", "type": "nofs", "source": "x" }])),
            )
        },
        Case::shell(
            "no-mounts-at-all",
            "ls -A /proc | wc -l",
            json!({ "mounts": [], "linux": { "maskedPaths": null, "readonlyPaths": null } }),
        )
        .except("crun", "asks for /proc")
        .except("runc", "asks for /proc"),
    ]
}

fn devices() -> Vec<Case> {
    let device = |patch: Value| merged(json!({ "path": "/dev/extra", "type": "c", "major": 1, "minor": 5 }), patch);
    let shell = |name, script, device: Value| Case::shell(name, script, json!({ "linux": { "devices": [device] } }));
    const SHOWN: &str = "stat -c '%F %a %u %g %t %T' /dev/extra";
    vec![
        shell("device", SHOWN, device(json!({}))),
        shell("device-mode-and-owner", SHOWN, device(json!({ "fileMode": 0o640, "uid": 33, "gid": 5 }))),
        shell("device-block", SHOWN, device(json!({ "type": "b", "major": 7, "minor": 0 }))),
        shell("device-fifo", SHOWN, device(json!({ "type": "p", "major": 0, "minor": 0 }))),
        shell("device-deep", "test -c /dev/a/b && echo there", device(json!({ "path": "/dev/a/b" }))),
        shell(
            "device-replaces",
            "stat -c '%a %t %T' /dev/null",
            json!({ "path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600 }),
        )
        .except("runc", "1.1 cannot open it again"),
        shell("device-is-denied", "head -c 1 /dev/extra 2>&1 | wc -c", device(json!({ "major": 10, "minor": 229 }))),
        Case { refused: true, ..shell("device-of-no-kind", "true", device(json!({ "type": "x" }))) }
            .except("crun", "1.8 makes none, silently"),
    ]
}
