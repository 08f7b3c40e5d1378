//! What becomes of a `config.json`: the plan, or the reason why not.

use std::path::Path;

use namespaces::seccomp::Program;
use serde_json::{Value, json};

use super::config::Config;
use super::translate;
use crate::plan::Plan;

/// The config of `spec` with `patch` merged over it (RFC 7396).
fn config(patch: Value) -> Config {
    let mut config: Value = serde_json::from_slice(include_bytes!("config.json")).unwrap();
    merge(&mut config, patch);
    serde_json::from_value(config).unwrap()
}

fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

fn plan(patch: Value) -> Plan {
    translate::plan(&config(patch), Path::new("/bundle"), "c1").unwrap()
}

fn refusal(patch: Value) -> String {
    translate::plan(&config(patch), Path::new("/bundle"), "c1").unwrap_err().to_string()
}

#[test]
fn the_config_of_spec() {
    insta::assert_json_snapshot!(plan(json!({})));
}

#[test]
fn a_process_in_all_its_detail() {
    let process = plan(json!({
        "process": {
            "terminal": true,
            "consoleSize": { "height": 24, "width": 80 },
            "user": { "uid": 33, "gid": 34, "umask": 63, "additionalGids": [5, 6] },
            "args": ["/bin/sh", "-c", "x"],
            "env": ["A=1"],
            "cwd": "/srv",
            "capabilities": { "bounding": ["CAP_CHOWN"], "effective": [], "permitted": [], "inheritable": [], "ambient": ["CAP_CHOWN"] },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "soft": 1024, "hard": 2048 }],
            "apparmorProfile": "x",
            "oomScoreAdj": 100,
            "noNewPrivileges": false,
        },
    }))
    .container
    .process;
    insta::assert_json_snapshot!(process);
}

#[test]
fn namespaces_are_new_joined_or_the_runtimes_own() {
    let namespaces = plan(json!({
        "linux": {
            "namespaces": [
                { "type": "mount" },
                { "type": "network", "path": "/proc/1/ns/net" },
                { "type": "user" },
            ],
            "uidMappings": [{ "containerID": 0, "hostID": 1000, "size": 65536 }],
            "gidMappings": [{ "containerID": 0, "hostID": 2000, "size": 65536 }],
        },
    }))
    .container
    .namespaces;
    insta::assert_json_snapshot!(namespaces);
}

#[test]
fn mount_options_are_attributes_or_the_file_systems_own() {
    let container = plan(json!({
        "root": { "path": "/elsewhere/root", "readonly": false },
        "mounts": [
            { "destination": "data", "type": "bind", "source": "relative", "options": ["rbind", "rro", "rslave", "noatime"] },
            { "destination": "/file", "type": "none", "source": "/etc/hosts", "options": ["bind", "ro", "relatime"] },
            { "destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m", "noswap", "nosuid", "strictatime"] },
            { "destination": "/sys/fs/cgroup", "type": "cgroup2", "source": "cgroup", "options": ["rw"] },
        ],
        "linux": { "rootfsPropagation": "rshared" },
    }))
    .container;
    insta::assert_json_snapshot!((container.root, container.mounts));
}

#[test]
fn resources_are_limits() {
    let cgroup = plan(json!({
        "linux": {
            "cgroupsPath": "/pod/c1",
            "resources": {
                "memory": { "limit": 67_108_864, "reservation": 33_554_432, "swap": -1, "swappiness": 10, "disableOOMKiller": true },
                "cpu": { "shares": 512, "quota": 50_000, "period": 100_000, "cpus": "0-1", "mems": "" },
                "pids": { "limit": 100 },
                "blockIO": {
                    "weight": 500,
                    "throttleReadBpsDevice": [{ "major": 8, "minor": 0, "rate": 1000 }],
                    "throttleWriteIOPSDevice": [{ "major": 8, "minor": 16, "rate": 10 }],
                },
            },
        },
    }))
    .cgroup;
    insta::assert_json_snapshot!(cgroup);
}

#[test]
fn groups_are_named_from_the_root_of_the_trees() {
    let path = |path: &str| plan(json!({ "linux": { "cgroupsPath": path } })).cgroup.unwrap().path;
    assert_eq!(path(""), Path::new("skiff-runtime/c1"));
    assert_eq!(path("/pod/c1"), Path::new("pod/c1"));
    assert_eq!(path("pod/c1"), Path::new("skiff-runtime/pod/c1"));
}

#[test]
fn device_rules_end_as_a_list_of_what_is_allowed() {
    let rules = |rules: Value| {
        let devices = plan(json!({ "linux": { "resources": { "devices": rules } } })).cgroup.unwrap().limits.devices;
        let usual = cgroups::DeviceRule::defaults().len();
        devices.map(|rules| rules.iter().skip(usual).map(ToString::to_string).collect::<Vec<_>>())
    };
    let deny = json!({ "allow": false, "access": "rwm" });
    assert_eq!(rules(json!([])).unwrap(), [""; 0]);
    assert_eq!(rules(json!([deny])).unwrap(), [""; 0]);
    assert_eq!(rules(json!([{ "allow": true, "access": "rwm" }])), None, "a privileged container");
    let fuse = json!({ "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" });
    assert_eq!(
        rules(json!([deny, fuse, { "allow": true, "type": "b", "major": 8 }])).unwrap(),
        ["c 10:229 rw", "b 8:* rwm"]
    );
    assert_eq!(rules(json!([fuse, deny])).unwrap(), [""; 0], "the later rule wins");
    let not_fuse = json!({ "allow": false, "type": "c", "major": 10, "minor": 229, "access": "rw" });
    assert_eq!(rules(json!([deny, fuse, not_fuse])).unwrap(), [""; 0]);
}

#[test]
fn devices_are_the_usual_ones_and_those_asked_for() {
    let devices = |patch: Value| -> Vec<String> {
        let of = |device: &namespaces::Device| format!("{} {:o}", device.path.display(), device.mode);
        plan(patch).container.devices.iter().map(of).collect()
    };
    let wanted = json!({ "linux": { "devices": [
        { "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 },
        { "path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0 },
    ] } });
    let expected = ["zero", "full", "random", "urandom", "tty", "fuse", "null"].map(|name| format!("/dev/{name} 666"));
    assert_eq!(devices(wanted), expected);
    let bound =
        json!({ "mounts": [{ "destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind"] }] });
    assert_eq!(devices(bound), [""; 0]);
}

#[test]
fn a_seccomp_profile_is_compiled() {
    let program = plan(json!({ "linux": { "seccomp": {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 38,
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "syscalls": [
            { "names": ["read", "write", "no_such_call"], "action": "SCMP_ACT_ALLOW" },
            { "names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [
                { "index": 0, "value": 2_114_060_288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ" },
            ] },
            { "names": ["personality"], "action": "SCMP_ACT_ALLOW", "args": [
                { "index": 0, "value": 0, "op": "SCMP_CMP_EQ" },
                { "index": 0, "value": 8, "op": "SCMP_CMP_EQ" },
            ] },
        ],
    } } }))
    .container
    .process
    .seccomp;
    let Some(Program { instructions, flags }) = program else { panic!("no program") };
    assert_eq!(flags, 2);
    insta::assert_json_snapshot!(
        instructions.iter().map(|instruction| format!("{instruction:016x}")).collect::<Vec<_>>()
    );
}

#[test]
fn what_cannot_be_done_is_refused_by_name() {
    let seccomp = |profile: Value| json!({ "linux": { "seccomp": profile } });
    let resources = |resources: Value| json!({ "linux": { "resources": resources } });
    let mount = |options: Value| json!({ "mounts": [{ "destination": "/x", "type": "tmpfs", "options": options }] });
    let all = [
        json!({ "ociVersion": "2.0.0" }),
        json!({ "root": null }),
        json!({ "process": { "args": [] } }),
        json!({ "process": { "cwd": "relative" } }),
        json!({ "process": { "scheduler": { "policy": "SCHED_LATER" } } }),
        json!({ "process": { "ioPriority": { "class": "IOPRIO_CLASS_BE", "priority": 8 } } }),
        json!({ "process": { "rlimits": [{ "type": "NOFILE", "soft": 1, "hard": 1 }] } }),
        json!({ "process": { "rlimits": [
            { "type": "RLIMIT_NOFILE", "soft": 1, "hard": 1 }, { "type": "RLIMIT_NOFILE", "soft": 2, "hard": 2 },
        ] } }),
        json!({ "process": { "selinuxLabel": "system_u:system_r:x" } }),
        json!({ "linux": { "intelRdt": {} } }),
        json!({ "linux": { "timeOffsets": { "monotonic": { "secs": 1 } } } }),
        json!({ "linux": { "personality": { "domain": "BSD" } } }),
        json!({ "linux": { "mountLabel": "system_u:object_r:x" } }),
        json!({ "linux": { "uidMappings": [{ "containerID": 0, "hostID": 1000, "size": 1 }] } }),
        json!({ "linux": {
            "namespaces": [{ "type": "mount" }, { "type": "user" }],
            "uidMappings": [{ "containerID": 0, "hostID": 1000, "size": 1 }],
        } }),
        json!({ "linux": { "rootfsPropagation": "upward" } }),
        json!({ "linux": { "cgroupsPath": "system.slice:runc:c1" } }),
        json!({ "linux": { "namespaces": [{ "type": "mount" }, { "type": "moon" }] } }),
        json!({ "linux": { "namespaces": [{ "type": "mount" }, { "type": "uts" }, { "type": "uts" }] } }),
        json!({ "linux": { "namespaces": [] } }),
        mount(json!(["idmap"])),
        mount(json!(["copy-symlink"])),
        resources(json!({ "rdma": { "mlx5_1": { "hcaHandles": 3 } } })),
        resources(json!({ "memory": { "limit": 4096 } })),
        resources(json!({ "devices": [{ "allow": true }, { "allow": false, "type": "c", "major": 1 }] })),
        seccomp(json!({ "defaultAction": "SCMP_ACT_NOTIFY" })),
        seccomp(json!({ "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_ARM"] })),
        seccomp(json!({ "defaultAction": "SCMP_ACT_ALLOW", "flags": ["SECCOMP_FILTER_FLAG_NEW"] })),
        seccomp(json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            { "names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{ "index": 6, "value": 0, "op": "SCMP_CMP_EQ" }] },
        ] })),
    ];
    insta::assert_snapshot!(all.map(refusal).join("\n"));
}
