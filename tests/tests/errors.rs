//! Why a container has not started: each message says what is missing, on which side, and what can be done. The words and the
//! exit codes are those that clients go by.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::json;
use skiff_tests::{Bundle, Daemon};

/// The smallest head of an ELF file for this machine's word size: for processor `machine`.
fn elf(machine: u8) -> Vec<u8> {
    let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, machine, 0];
    head.resize(64, 0);
    head
}

/// Fills `directory` with programs, none of which can run. Each with docker's words, the exit code of an exec (of a `docker run`
/// in brackets where the client does not know the words), and the hint.
fn programs(directory: &Path) -> Vec<(&'static str, &'static str, i32, i32, &'static str)> {
    let file = |name: &str, bytes: &[u8], mode: u32| {
        let path = directory.join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("script", b"#!/no/such/shell -e\n", 0o755);
    file("dos", b"#!/bin/sh\r\necho hello\r\n", 0o755);
    file("dynamic", &fs::read("/usr/bin/env").unwrap(), 0o755);
    file("unfit", b"#!/etc/passwd\n", 0o755);
    file("text", b"hello\n", 0o755);
    file("empty", b"", 0o755);
    file("arm", &elf(183), 0o755);
    file("damaged", &elf(62), 0o755);
    file("plain", b"#!/bin/sh\n", 0o644);
    fs::create_dir(directory.join("directory")).unwrap();
    symlink("/nowhere/at/all", directory.join("dangling")).unwrap();
    let (missing, format, denied) = ("no such file or directory", "exec format error", "permission denied");
    vec![
        ("script", missing, 127, 127, "interpreter it asks for, /no/such/shell,"),
        ("dos", missing, 127, 127, "/bin/sh\\r, is not: its first line ends as those of DOS do"),
        (
            "dynamic",
            missing,
            127,
            127,
            "/lib64/ld-linux-x86-64.so.2, is not in the image: the program was built for another C",
        ),
        ("unfit", denied, 126, 126, "but not the interpreter it asks for, /etc/passwd."),
        ("text", format, 126, 125, "a script must begin with #!"),
        ("empty", format, 126, 125, "The file is empty."),
        ("arm", format, 126, 125, "another processor than x86-64"),
        ("damaged", format, 126, 125, "The file is damaged"),
        ("plain", denied, 126, 126, "chmod +x"),
        ("directory", denied, 126, 126, "It is a directory"),
        ("dangling", missing, 127, 127, "a symbolic link to /nowhere/at/all, which is not there"),
        ("nothing", "stat /m/nothing: no such file or directory", 127, 127, ""),
    ]
}

#[test]
fn a_program_that_cannot_run_is_told_with_its_reason() {
    let home = tempfile::tempdir().unwrap();
    let programs = programs(home.path());
    let daemon = Daemon::start();
    let volume = format!("{}:/m", home.path().display());
    daemon.docker(&["run", "-d", "--name", "box", "-v", &volume, "busybox", "sleep", "1000"]).ok();
    for (name, words, code, by_docker, hint) in programs {
        let path = format!("/m/{name}");
        let run = ["run", "--rm", "-v", &volume, "busybox", &path];
        daemon.docker(&run).fails(by_docker, words).fails(by_docker, hint);
        daemon.skiff(&run).fails(by_docker, words).fails(by_docker, hint);
        // The kernel was asked, so the exec has begun: what it says comes where its output would have been.
        let exec = daemon.docker(&["exec", "box", &path]);
        let said = exec.code == code && exec.stdout.contains(words) && exec.stdout.contains(hint);
        assert!(said, "{exec}");
    }
    for run in
        [daemon.docker(&["run", "--rm", "busybox", "nothing"]), daemon.skiff(&["run", "--rm", "busybox", "nothing"])]
    {
        run.fails(127, "exec: \"nothing\": executable file not found in $PATH").fails(127, "PATH is /usr/local/sbin");
    }
    daemon.docker(&["run", "--rm", "busybox", ""]).fails(127, "exec: \"\": executable file not found in $PATH");
    daemon.docker(&["rm", "-f", "box"]).ok();
    daemon.finish();
}

#[test]
fn a_program_where_nothing_may_be_executed() {
    let daemon = Daemon::start();
    let script = "cp /bin/busybox /t/prog && exec sleep 1000";
    daemon.docker(&["run", "-d", "--name", "box", "--tmpfs", "/t:noexec", "busybox", "sh", "-c", script]).ok();
    let exec = loop {
        // The copy may not be there yet.
        let exec = daemon.skiff(&["exec", "box", "/t/prog"]);
        if !exec.stdout.contains("no such file") {
            break exec;
        }
    };
    assert!(exec.code == 126 && exec.stdout.contains("permission denied"), "{exec}");
    assert!(exec.stdout.contains("the mount has the option noexec"), "{exec}");
    daemon.docker(&["rm", "-f", "box"]).ok();
    daemon.finish();
}

#[test]
fn limits_that_leave_no_room_say_so() {
    let daemon = Daemon::start();
    let run = |limit: &[&str]| daemon.docker(&[&["run", "--rm"], limit, &["busybox", "true"]].concat());
    run(&["-m", "5m"]).fails(125, "Minimum memory limit allowed is 6MB");
    run(&["--pids-limit", "1", "--init"]).fails(125, "The limit of processes leaves no room for both");
    run(&["--cpus", "6000"]).fails(125, "range of CPUs is from 0.01 to");
    run(&["--cpuset-cpus", "6000"]).fails(125, "Requested CPUs are not available - requested 6000, available: ");
    run(&["--gpus", "all"]).fails(125, "could not select device driver \"\" with capabilities: [[gpu]]");
    let fill = "dd if=/dev/zero of=/dev/shm/x bs=1M count=30 2>/dev/null; echo full; exec sleep 1000";
    daemon.docker(&["run", "-d", "--name", "box", "busybox", "sh", "-c", fill]).ok();
    while !daemon.docker(&["logs", "box"]).ok().contains("full") {}
    let update = daemon.docker(&["update", "--memory", "7m", "--memory-swap", "7m", "box"]);
    update.fails(1, "The processes use ").fails(1, "Choose a limit above that");
    assert_eq!(daemon.docker(&["inspect", "-f", "{{.HostConfig.Memory}}", "box"]).ok(), "0", "nothing has changed");
    daemon.docker(&["rm", "-f", "box"]).ok();
    daemon.finish();
}

#[test]
fn a_failed_mount_names_both_sides() {
    let home = tempfile::tempdir().unwrap();
    let (file, directory) = (home.path().join("file"), home.path().display().to_string());
    fs::write(&file, "").unwrap();
    let file = file.display().to_string();
    let daemon = Daemon::start();
    let run = |mount: &str| daemon.docker(&["run", "--rm", "-v", mount, "busybox", "true"]);
    let hint = "Are you trying to mount a directory onto a file (or vice-versa)?";
    for (source, target) in [(&file, "/etc"), (&directory, "/etc/passwd")] {
        let words = format!("cannot mount {source} on {target}: Not a directory");
        run(&format!("{source}:{target}")).fails(125, &words).fails(125, hint);
    }
    let missing = format!("{directory}/missing");
    let mount = format!("type=bind,src={missing},dst=/x");
    let words = format!("bind source path does not exist: {missing}");
    daemon.docker(&["run", "--rm", "--mount", &mount, "busybox", "true"]).fails(125, &words);
    let device = daemon.docker(&["run", "--rm", "--device", "/dev/missing", "busybox", "true"]);
    device.fails(127, "error gathering device information while adding custom device \"/dev/missing\": no such file");
    daemon.finish();
}

/// The runtime alone says the same: it has no daemon that would choose the words.
#[test]
fn the_runtime_alone_says_the_same() {
    let home = tempfile::tempdir().unwrap();
    for (name, .., hint) in programs(home.path()) {
        let mut bundle = Bundle::new("");
        let mount = json!({ "destination": "/m", "type": "bind", "source": home.path(), "options": ["rbind"] });
        bundle.config["mounts"].as_array_mut().unwrap().push(mount);
        bundle.config["process"]["args"] = json!([format!("/m/{name}")]);
        let path = format!("/m/{name}: ");
        // As runc: whatever it is, 1.
        bundle.run().fails(1, &path).fails(1, hint);
    }
    let mut bundle = Bundle::new("");
    let file = home.path().join("text");
    let mount = json!({ "destination": "/etc", "type": "bind", "source": file, "options": ["rbind"] });
    bundle.config["mounts"].as_array_mut().unwrap().push(mount);
    let words = format!("cannot mount {} on /etc: Not a directory", file.display());
    assert!(bundle.run().stderr.contains(&words));
}
