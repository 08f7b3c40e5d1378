//! The process: who it is, what it may do, what it is given.

use serde_json::json;

use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    [ordinary(), identity(), rights(), limits(), refused()].into_iter().flatten().collect()
}

/// The config of `spec`, looked at from all sides.
fn ordinary() -> Vec<Case> {
    let plain = |name, script| Case::shell(name, script, json!({}));
    vec![
        plain("id", "id; pwd; env | grep -v SHLVL; hostname"),
        plain("caps", "grep -E '^(Cap|NoNewPrivs|SigBlk)' /proc/self/status"),
        plain("exit", "exit 17"),
        plain("signal", "kill -9 $$; sleep 1"),
        plain("fds", "ls /proc/self/fd | wc -l"),
        plain("umask", "umask; touch /tmp/x; mkdir /tmp/y; stat -c '%a' /tmp/x /tmp/y 2>&1"),
        plain("session", "cut -d' ' -f4-8 /proc/self/stat; cat /proc/1/stat | cut -d' ' -f6"),
        plain("oom", "cat /proc/self/oom_score_adj"),
        Case::new("arguments", &["echo", "a b", "", "$HOME", "*"], json!({})),
        Case::new("path", &["/bin/busybox", "echo", "by its path"], json!({})),
    ]
}

fn identity() -> Vec<Case> {
    let as_user = |user| json!({ "process": { "user": user } });
    vec![
        Case::new("user", &["id"], as_user(json!({ "uid": 33, "gid": 33, "additionalGids": [5, 6] }))),
        Case::new("user-unknown", &["id"], as_user(json!({ "uid": 4711, "gid": 815 }))),
        Case::shell("user-home", "echo $HOME", as_user(json!({ "uid": 33, "gid": 33 }))),
        Case::shell(
            "user-files",
            "touch /tmp/x 2>&1 || echo no; ls -ld /tmp | cut -c1-10",
            as_user(json!({ "uid": 33, "gid": 33 })),
        ),
        Case::shell("user-umask", "umask", as_user(json!({ "uid": 0, "gid": 0, "umask": 63 }))),
        Case::shell(
            "environment",
            "echo \"$A|$B|$C\"",
            json!({ "process": { "env": ["PATH=/bin", "A=x=y", "B=", "C= c "] } }),
        ),
        Case::new("environment-home", &["/bin/env"], json!({ "process": { "env": ["HOME=/elsewhere"] }, "root": {} })),
        Case::shell("cwd", "pwd; ls -d .", json!({ "process": { "cwd": "/tmp" } })),
        Case::shell("cwd-of-a-user", "pwd", json!({ "process": { "cwd": "/root", "user": { "uid": 33, "gid": 33 } } })),
        Case::shell(
            "cwd-missing",
            "pwd",
            json!({ "process": { "cwd": "/tmp/not/there" }, "root": { "path": "rootfs" } }),
        ),
    ]
}

fn rights() -> Vec<Case> {
    const SETS: &str = "grep -E '^Cap' /proc/self/status";
    let with = |sets| json!({ "process": { "capabilities": sets } });
    let one = json!(["CAP_NET_BIND_SERVICE"]);
    let ambient = json!({
        "user": { "uid": 33, "gid": 33 },
        "capabilities": { "bounding": one, "effective": one, "permitted": one, "inheritable": one, "ambient": one },
    });
    vec![
        Case::shell("caps-none", SETS, json!({ "process": { "capabilities": null } })),
        Case::shell(
            "caps-empty",
            SETS,
            with(json!({ "bounding": [], "effective": [], "permitted": [], "inheritable": [], "ambient": [] })),
        ),
        Case::shell(
            "caps-bounding-only",
            SETS,
            with(json!({ "bounding": ["CAP_CHOWN"], "effective": [], "permitted": [] })),
        ),
        Case::shell("caps-inheritable", SETS, with(json!({ "inheritable": ["CAP_CHOWN"] }))),
        Case::shell("caps-ambient", SETS, json!({ "process": ambient })),
        Case::shell("caps-of-a-user", SETS, json!({ "process": { "user": { "uid": 33, "gid": 33 } } })),
        Case::shell(
            "new-privileges",
            "grep NoNewPrivs /proc/self/status",
            json!({ "process": { "noNewPrivileges": false } }),
        ),
        Case::shell("mount-is-refused", "mount -t tmpfs x /tmp 2>&1 || echo refused", json!({})),
    ]
}

fn limits() -> Vec<Case> {
    let limit = |kind: &str, soft: u64, hard: u64| json!({ "type": kind, "soft": soft, "hard": hard });
    vec![
        Case::shell(
            "rlimits",
            "ulimit -n; ulimit -Hn; ulimit -c; ulimit -s",
            json!({ "process": { "rlimits": [
                limit("RLIMIT_NOFILE", 123, 456), limit("RLIMIT_CORE", 0, 0), limit("RLIMIT_STACK", 1 << 20, 1 << 21),
            ] } }),
        ),
        Case::shell("oom-score", "cat /proc/self/oom_score_adj", json!({ "process": { "oomScoreAdj": 500 } })),
        Case::shell("personality", "uname -m", json!({ "linux": { "personality": { "domain": "LINUX32" } } }))
            .except("runc", "1.1 has no personality"),
        Case::shell(
            "scheduler",
            "cut -d' ' -f19,41 /proc/self/stat",
            json!({ "process": { "scheduler": { "policy": "SCHED_BATCH", "nice": 7 } } }),
        )
        .except("runc", "1.1 has no scheduler")
        .except("crun", "1.8 has no scheduler"),
        Case::shell(
            "io-priority",
            "ionice -p $$",
            json!({ "process": { "ioPriority": { "class": "IOPRIO_CLASS_BE", "priority": 6 } } }),
        )
        .except("runc", "1.1 has no I/O priority")
        .except("crun", "1.8 has no I/O priority"),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        Case { refused: true, ..Case::new("program-missing", &["/no/such/program"], json!({})) },
        Case { refused: true, ..Case::new("program-not-in-path", &["no-such-program"], json!({})) },
        Case { refused: true, ..Case::new("program-is-a-directory", &["/tmp"], json!({})) },
        Case { refused: true, ..Case::new("program-not-executable", &["/etc/passwd"], json!({})) },
        Case::refused("args-empty", json!({ "process": { "args": [] } })),
        Case::refused("cwd-relative", json!({ "process": { "cwd": "tmp" } }))
            .except("crun", "takes it from the root directory"),
        Case::refused("cwd-is-a-file", json!({ "process": { "cwd": "/etc/passwd" } })),
        Case::refused("root-missing", json!({ "root": { "path": "nowhere" } })),
        Case::refused(
            "rlimit-unknown",
            json!({ "process": { "rlimits": [{ "type": "RLIMIT_X", "soft": 1, "hard": 1 }] } }),
        ),
        Case::refused(
            "rlimit-inverted",
            json!({ "process": { "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 20, "hard": 10 }] } }),
        ),
    ]
}
