//! The same bundles by us and by other runtimes, where those are installed: the same output and the same status.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod bundle;
mod rootfs;

use std::process::{Command, Stdio};

use bundle::{Bundle, patch};
use serde_json::{Value, json};

/// Scripts for the config of `spec`.
const SCRIPTS: [(&str, &str); 9] = [
    ("id", "id; pwd; env | grep -v SHLVL; hostname"),
    ("caps", "grep -E '^(Cap|NoNewPrivs|SigBlk)' /proc/self/status"),
    ("exit", "exit 17"),
    ("signal", "kill -9 $$; sleep 1"),
    ("fds", "ls /proc/self/fd | wc -l"),
    ("mounts", "mount | grep -E ' on /(proc|dev|dev/shm|dev/mqueue|sys) ' | sed 's/size=[^,)]*//; s/inode64//'"),
    ("dev", "ls /dev | grep -v -E 'core|console'; test -c /dev/null && echo works > /dev/null"),
    (
        "readonly",
        "touch /x 2>&1; touch /tmp/x 2>&1; echo 1 2>&1 > /proc/sys/kernel/hostname; ls /proc/acpi /sys/firmware",
    ),
    ("loopback", "ip addr show lo | grep -E 'inet |UP'"),
];

/// Other programs with other configs.
fn configs() -> Vec<(&'static str, Vec<&'static str>, Value)> {
    let shell = |script| vec!["sh", "-c", script];
    let user = json!({ "uid": 33, "gid": 33, "additionalGids": [5, 6] });
    let limits = json!({
        "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 123, "hard": 456 }],
        "oomScoreAdj": 500,
        "user": { "umask": 63, "uid": 0, "gid": 0 },
    });
    let no_hostname = json!({ "names": ["sethostname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95 });
    let seccomp = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [no_hostname] });
    vec![
        ("user", vec!["id"], json!({ "process": { "user": user } })),
        ("limits", shell("ulimit -n; cat /proc/self/oom_score_adj; umask"), json!({ "process": limits })),
        (
            "sysctl",
            vec!["cat", "/proc/sys/net/ipv4/ip_forward"],
            json!({ "linux": { "sysctl": { "net.ipv4.ip_forward": "1" } } }),
        ),
        (
            "seccomp",
            shell("hostname x; kill -0 $$; grep Seccomp: /proc/self/status"),
            json!({ "linux": { "seccomp": seccomp } }),
        ),
    ]
}

#[test]
fn other_runtimes_agree() {
    let mut bundles: Vec<_> = SCRIPTS.map(|(name, script)| Bundle::shell(&format!("agree-{name}"), script)).into();
    bundles
        .extend(configs().into_iter().map(|(name, args, patch)| Bundle::new(&format!("agree-{name}"), &args, patch)));
    for other in ["crun", "runc"] {
        if Command::new(other).arg("--version").output().is_err() {
            eprintln!("{other} is not installed: not compared");
            continue;
        }
        for bundle in &bundles {
            // Older ones do not know newer versions of the specification.
            patch(bundle, json!({ "ociVersion": "1.0.2" }));
            let ours = bundle.run();
            let theirs = run_by(other, bundle);
            let id = &bundle.id;
            assert_eq!((ours.0, &ours.1), (theirs.0, &theirs.1), "{id} by {other}: {} {}", ours.2, theirs.2);
        }
    }
}

/// What another runtime cannot do on a hybrid machine is done for it: its view has no unified tree.
fn run_by(runtime: &str, bundle: &Bundle) -> (Option<i32>, String, String) {
    let script = "umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"";
    let id = format!("{}-{runtime}", bundle.id);
    let output = Command::new("unshare")
        .args(["-m", "--propagation", "private", "sh", "-c", script, "sh", runtime, "--root"])
        .arg(bundle.rootfs.join(runtime))
        .args(["run", "--bundle", bundle.path(), &id])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}
