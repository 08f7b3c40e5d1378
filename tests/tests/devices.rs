//! Devices by the name that their vendor gives them: `--device vendor.com/toy=0`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use skiff_tests::Daemon;

/// A vendor's file: two devices, of which the first is `/dev/kmsg` by another name, with a file of the host beside it.
const VENDOR: &str = r#"{
    "cdiVersion": "0.7.0", "kind": "vendor.com/toy",
    "containerEdits": { "env": ["TOYS=on"] },
    "devices": [
        { "name": "0", "containerEdits": {
            "deviceNodes": [{ "path": "/dev/toy0", "hostPath": "/dev/kmsg", "permissions": "w", "fileMode": 384 }],
            "mounts": [{ "hostPath": "[home]/toy", "containerPath": "/opt/toy", "options": ["ro", "bind"] }],
            "additionalGids": [1234] } },
        { "name": "hooked", "containerEdits": { "hooks": [{ "hookName": "prestart", "path": "/bin/true" }] } }
    ] }"#;

#[test]
fn a_device_is_found_by_its_name() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("vendor.json"), VENDOR.replace("[home]", home.path().to_str().unwrap())).unwrap();
    std::fs::write(home.path().join("toy"), "a toy\n").unwrap();
    std::fs::write(home.path().join("nvidia.yaml"), "kind: nvidia.com/gpu\n").unwrap();
    let directory = home.path().display().to_string();
    let daemon = Daemon::bare(&["--cdi-spec-dir", &directory]);
    let tar = skiff_tests::busybox_tar().display().to_string();
    daemon.docker(&["import", &tar, "busybox:latest"]).ok();
    assert_eq!(daemon.docker(&["info", "-f", "{{.CDISpecDirs}}"]).ok(), format!("[{directory}]"));
    let script = "stat -c '%a %t:%T' /dev/toy0; echo $TOYS; id -G; cat /opt/toy; \
        : > /dev/toy0 && echo open; (: < /dev/toy0) 2>&1; (: > /opt/toy) 2>&1";
    for client in ["docker", "skiff"] {
        let words = ["run", "--rm", "-e", "TOYS=off", "--device", "vendor.com/toy=0", "busybox", "sh", "-c", script];
        let ran = skiff_tests::run(&mut daemon.command(client, &words), b"");
        assert!(ran.stdout.starts_with("600 1:b\non\n0 1234\na toy\nopen\n"), "{ran}");
        // The group of devices lets it be written only.
        assert!(ran.stdout.contains("/dev/toy0: Operation not permitted"), "{ran}");
        assert!(ran.stdout.contains("/opt/toy: Read-only file system"), "{ran}");
    }
    let fails = |name: &str, words: &str| {
        daemon.docker(&["run", "--rm", "--device", name, "busybox", "true"]).fails(125, words);
    };
    fails("vendor.com/toy=9", "CDI device injection failed: unresolvable CDI devices vendor.com/toy=9");
    fails("nvidia.com/gpu=0", "nvidia.yaml is YAML, and only JSON is read");
    fails("vendor.com/toy=hooked", "CDI device injection failed: the description has hooks");
    assert_eq!(daemon.docker(&["ps", "-aq"]).ok(), "");
    daemon.finish();
}
