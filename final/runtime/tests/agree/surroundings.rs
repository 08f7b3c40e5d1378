//! Namespaces, cgroups, system call filters, hooks.

use serde_json::{Value, json};

use crate::Case;

pub(crate) fn cases() -> Vec<Case> {
    [namespaces(), sysctls(), cgroups(), filters(), hooks()].into_iter().flatten().collect()
}

/// The namespaces of `spec` without `left_out`, and `more`.
fn spaces(left_out: &[&str], more: Value) -> Value {
    let usual = ["pid", "network", "ipc", "uts", "mount", "cgroup"].into_iter();
    let mut all: Vec<_> = usual.filter(|kind| !left_out.contains(kind)).map(|kind| json!({ "type": kind })).collect();
    all.extend(more.as_array().unwrap().iter().cloned());
    json!(all)
}

fn namespaces() -> Vec<Case> {
    let without = |kind| json!({ "hostname": null, "linux": { "namespaces": spaces(&[kind], json!([])) } });
    let joined = |kind, link: &str| {
        let path = format!("/proc/1/ns/{link}");
        json!({ "hostname": null, "linux": { "namespaces": spaces(&[kind], json!([{ "type": kind, "path": path }])) } })
    };
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    let user = json!({ "linux": {
        "namespaces": spaces(&[], json!([{ "type": "user" }])), "uidMappings": map, "gidMappings": map,
    } });
    let time = json!({ "linux": {
        "namespaces": spaces(&[], json!([{ "type": "time" }])), "timeOffsets": { "boottime": { "secs": 10_000_000 } },
    } });
    vec![
        Case::shell("loopback", "ip addr show lo | grep -E 'inet |UP'", json!({})),
        Case::shell("hostname", "hostname", json!({ "hostname": "some.where" })),
        Case::shell("domainname", "cat /proc/sys/kernel/domainname", json!({ "domainname": "some.domain" }))
            .except("runc", "1.1 has no domainname"),
        Case::shell("uts-of-the-host", "hostname", without("uts")),
        Case::shell("net-of-the-host", "ls /sys/class/net | sort", without("network")),
        Case::shell("ipc-of-the-host", "readlink /proc/self/ns/ipc", without("ipc")),
        Case::shell("pid-of-the-host", "readlink /proc/self/ns/pid", without("pid")),
        Case::shell("cgroup-of-the-host", "readlink /proc/self/ns/cgroup", without("cgroup")),
        Case::shell("net-joined", "readlink /proc/self/ns/net", joined("network", "net")),
        Case::shell("uts-joined", "readlink /proc/self/ns/uts", joined("uts", "uts")),
        Case::shell("ipc-joined", "readlink /proc/self/ns/ipc", joined("ipc", "ipc")),
        Case::shell("pid-joined", "readlink /proc/self/ns/pid; test $$ -gt 1 && echo not first", joined("pid", "pid")),
        Case::shell("user-map", "cat /proc/self/uid_map /proc/self/gid_map; id -u", user.clone()),
        Case::shell("user-files", "stat -c '%u %a' /dev/null /proc/self/status; ls -A /sys/firmware", user.clone()),
        Case::shell("user-rights", "grep -E '^Cap' /proc/self/status; cat /proc/self/setgroups", user),
        Case::shell("time", "awk '{ print ($1 > 10000000) }' /proc/uptime", time)
            .except("runc", "1.1 has no time namespaces")
            .except("crun", "1.8 cannot write the offsets on this kernel"),
        Case::refused(
            "namespace-unknown",
            json!({ "linux": { "namespaces": spaces(&[], json!([{ "type": "moon" }])) } }),
        ),
        Case::refused("namespace-twice", json!({ "linux": { "namespaces": spaces(&[], json!([{ "type": "uts" }])) } }))
            .except("crun", "1.8 takes the last"),
        Case::refused("namespace-missing", joined("network", "no-such-namespace")),
        Case::refused(
            "hostname-without-uts",
            json!({ "hostname": "x", "linux": { "namespaces": spaces(&["uts"], json!([])) } }),
        ),
    ]
}

fn sysctls() -> Vec<Case> {
    let set = |name: &str, value: &str| json!({ "linux": { "sysctl": { name: value } } });
    let shared = json!({
        "hostname": null,
        "linux": { "sysctl": { "net.ipv4.ip_forward": "1" }, "namespaces": spaces(&["network"], json!([])) },
    });
    vec![
        Case::new("sysctl-net", &["cat", "/proc/sys/net/ipv4/ip_forward"], set("net.ipv4.ip_forward", "1")),
        Case::new("sysctl-ipc", &["cat", "/proc/sys/kernel/msgmax"], set("kernel.msgmax", "4321")),
        Case::new("sysctl-mqueue", &["cat", "/proc/sys/fs/mqueue/msg_max"], set("fs.mqueue.msg_max", "12")),
        Case::refused("sysctl-of-the-machine", set("kernel.core_pattern", "|/tmp/x")),
        Case::refused("sysctl-of-a-shared-namespace", shared),
        Case::refused("sysctl-unknown", set("net.no.such", "1")),
    ]
}

fn cgroups() -> Vec<Case> {
    let limited = |resources: Value| json!({ "linux": { "resources": resources } });
    let rule =
        |allow: bool, minor: u32| json!({ "allow": allow, "type": "c", "major": 10, "minor": minor, "access": "rwm" });
    vec![
        Case::new(
            "memory-limit",
            &["cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes"],
            limited(json!({ "memory": { "limit": 64 << 20 } })),
        ),
        Case::new(
            "memory-reservation",
            &["cat", "/sys/fs/cgroup/memory/memory.soft_limit_in_bytes"],
            limited(json!({ "memory": { "reservation": 32 << 20 } })),
        ),
        Case::new(
            "cpu-shares",
            &["cat", "/sys/fs/cgroup/cpu/cpu.shares"],
            limited(json!({ "cpu": { "shares": 512 } })),
        ),
        Case::new(
            "cpu-quota",
            &["cat", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us"],
            limited(json!({ "cpu": { "quota": 20000, "period": 50000 } })),
        ),
        Case::shell(
            "cpuset",
            "cat /sys/fs/cgroup/cpuset/cpuset.cpus; nproc",
            limited(json!({ "cpu": { "cpus": "0" } })),
        ),
        Case::new("pids-limit", &["cat", "/sys/fs/cgroup/pids/pids.max"], limited(json!({ "pids": { "limit": 77 } }))),
        Case::shell(
            "devices-allowed",
            "sort /sys/fs/cgroup/devices/devices.list",
            limited(json!({ "devices": [{ "allow": false, "access": "rwm" }, rule(true, 229)] })),
        )
        .except("runc", "lists tun, which it has allowed everybody")
        .except("crun", "lists tun and the rights one by one"),
        Case::shell("cgroup-is-its-own-root", "cut -d: -f3 /proc/self/cgroup | sort -u", json!({})),
        Case::shell("cgroup-is-read-only", "mkdir /sys/fs/cgroup/pids/x 2>&1", json!({})),
        Case::refused(
            "memory-and-swap-contradict",
            limited(json!({ "memory": { "limit": 64 << 20, "swap": 32 << 20 } })),
        ),
    ]
}

fn filters() -> Vec<Case> {
    let filter = |default: &str, syscalls: Value| json!({ "linux": { "seccomp": { "defaultAction": default, "architectures": ["SCMP_ARCH_X86_64"], "syscalls": syscalls } } });
    let rule = |name: &str, action: &str, more: Value| {
        let mut rule = json!({ "names": [name], "action": action });
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([rule])
    };
    let allow = "SCMP_ACT_ALLOW";
    const TRIED: &str = "rmdir /tmp/x 2>/dev/null; mkdir /tmp/x 2>&1; echo $?; grep Seccomp: /proc/self/status";
    let argument = |op: &str, value: u32| json!({ "args": [{ "index": 1, "value": value, "valueTwo": 0, "op": op }] });
    let of = |name, patch: Value| Case {
        patch: {
            let mut patch = patch;
            patch["root"] = json!({ "readonly": false });
            patch
        },
        ..Case::shell(name, TRIED, json!({}))
    };
    vec![
        of("filter-errno", filter(allow, rule("mkdir", "SCMP_ACT_ERRNO", json!({})))),
        of("filter-errno-ret", filter(allow, rule("mkdir", "SCMP_ACT_ERRNO", json!({ "errnoRet": 95 })))),
        of("filter-kill", filter(allow, rule("mkdir", "SCMP_ACT_KILL", json!({})))),
        of("filter-kill-process", filter(allow, rule("mkdir", "SCMP_ACT_KILL_PROCESS", json!({})))),
        of("filter-trap", filter(allow, rule("mkdir", "SCMP_ACT_TRAP", json!({})))),
        of("filter-log", filter(allow, rule("mkdir", "SCMP_ACT_LOG", json!({})))),
        of("filter-trace", filter(allow, rule("mkdir", "SCMP_ACT_TRACE", json!({})))),
        of("filter-argument-eq", filter(allow, rule("mkdir", "SCMP_ACT_ERRNO", argument("SCMP_CMP_EQ", 0o777)))),
        of("filter-argument-lt", filter(allow, rule("mkdir", "SCMP_ACT_ERRNO", argument("SCMP_CMP_LT", 0o777)))),
        of("filter-argument-ge", filter(allow, rule("mkdir", "SCMP_ACT_ERRNO", argument("SCMP_CMP_GE", 0o777)))),
        of("filter-unknown-name", filter(allow, rule("no_such_call", "SCMP_ACT_ERRNO", json!({})))),
        Case::refused("filter-unknown-action", filter(allow, rule("mkdir", "SCMP_ACT_FLY", json!({})))),
        Case::refused(
            "filter-unknown-operator",
            filter(allow, rule("mkdir", "SCMP_ACT_ERRNO", argument("SCMP_CMP_X", 1))),
        ),
    ]
}

fn hooks() -> Vec<Case> {
    // On the host the working directory of a hook is nobody's promise; in the container its root is.
    let inside = |event: &str, script: &str| json!({ "root": { "readonly": false }, "hooks": { event: [{ "path": "/bin/sh", "args": ["sh", "-c", script] }] } });
    let fails = |event: &str| json!({ "hooks": { event: [{ "path": "/bin/false" }] } });
    vec![
        Case::shell(
            "hook-in-the-container",
            "cat /tmp/seen",
            inside("startContainer", "cut -d'\"' -f1 | wc -l > /tmp/seen; hostname >> /tmp/seen"),
        ),
        Case::shell("hook-output", "echo program", inside("createRuntime", "echo hook >&2")),
        Case::refused("hook-prestart-fails", fails("prestart")),
        Case::refused("hook-create-runtime-fails", fails("createRuntime")),
        Case::refused("hook-create-container-fails", fails("createContainer")),
        Case::refused("hook-start-container-fails", fails("startContainer")),
        Case::refused("hook-missing", json!({ "hooks": { "createRuntime": [{ "path": "/no/such/hook" }] } })),
        Case::refused(
            "hook-too-slow",
            json!({ "hooks": { "createRuntime": [{ "path": "/bin/sleep", "args": ["sleep", "20"], "timeout": 1 }] } }),
        ),
        Case::new("hook-poststop-fails", &["echo", "ran"], fails("poststop")),
    ]
}
