//! The OCI runtime, used as containerd, Docker and Podman use it: by its command line, on real bundles, as root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod bundle;
mod rootfs;

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bundle::{Bundle, patch};
use serde_json::{Value, json};

#[test]
fn run_is_the_whole_life_and_leaves_nothing() {
    let bundle = Bundle::shell("run", "echo out; echo err >&2; hostname; exit 42");
    assert_eq!(bundle.run(), (Some(42), "out\nskiff\n".into(), "err\n".into()));
    assert_eq!(bundle.left(), [""; 0]);
}

#[test]
fn one_that_never_began_is_deleted_without_force() {
    let bundle = Bundle::created("unbegun", "echo ran");
    bundle.ok(&["delete", "ID"]);
    assert_eq!(bundle.left(), [""; 0]);
    assert_eq!(bundle.output(), "");
}

#[test]
fn a_life_step_by_step() {
    let bundle = Bundle::created("life", "trap 'exit 0' TERM; echo ran; while :; do sleep 0.05; done");
    assert_eq!(bundle.output(), "");
    let mut state = bundle.state();
    let pid = state["pid"].as_i64().unwrap();
    assert!(state.as_object_mut().unwrap().remove("created").is_some());
    assert_eq!(
        state,
        json!({
            "ociVersion": "1.2.0", "id": bundle.id, "status": "created", "pid": pid,
            "bundle": bundle.path(), "annotations": {}, "rootfs": bundle.rootfs.join("rootfs"), "owner": "root",
        })
    );
    let create = ["create", "--bundle", bundle.path(), "ID"];
    insta::assert_snapshot!(bundle.refused(&create), @"
    skiff-runtime: cannot create the container ID: a container with this id already exists
    Delete that one first, or choose another id.
    ");
    bundle.ok(&["start", "ID"]);
    bundle.until("running");
    // A first process takes no signal that it does not expect, and this one expects it from here on.
    bundle.until_it_says("ran\n");
    insta::assert_snapshot!(bundle.refused(&["start", "ID"]), @"skiff-runtime: cannot start the container ID: it was started already");
    insta::assert_snapshot!(bundle.refused(&["delete", "ID"]), @"
    skiff-runtime: cannot delete the container ID: it is running
    Kill it first, or use --force.
    ");
    assert_eq!(bundle.ok(&["list", "--quiet"]), format!("{}\n", bundle.id));
    let listed = bundle.ok(&["list", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap()[0]["status"], "running");
    let pids: Vec<i64> = serde_json::from_str(&bundle.ok(&["ps", "--format", "json", "ID"])).unwrap();
    assert!(pids.contains(&pid), "{pids:?}");
    bundle.ok(&["pause", "ID"]);
    bundle.until("paused");
    insta::assert_snapshot!(bundle.refused(&["pause", "ID"]), @"skiff-runtime: cannot pause the container ID: it is paused");
    bundle.ok(&["resume", "ID"]);
    bundle.until("running");
    bundle.ok(&["kill", "ID"]);
    bundle.until("stopped");
    assert_eq!(bundle.state()["pid"], 0);
    for command in [["kill", "ID"], ["start", "ID"], ["exec", "ID"]] {
        assert!(!bundle.refused(&command).is_empty());
    }
    insta::assert_snapshot!(bundle.refused(&["kill", "ID", "9"]), @"skiff-runtime: cannot send a signal to ID: container not running");
    bundle.ok(&["delete", "ID"]);
    assert_eq!(bundle.left(), [""; 0]);
    for command in [["state", "ID"], ["delete", "ID"], ["start", "ID"]] {
        let said = bundle.refused(&command);
        assert_eq!(said, "skiff-runtime: cannot find the container ID: container does not exist\n");
    }
    bundle.ok(&["delete", "--force", "ID"]);
}

#[test]
fn force_deletes_what_runs_and_what_waits() {
    for started in [false, true] {
        let bundle = Bundle::created("force", "sleep 60 & sleep 60");
        if started {
            bundle.ok(&["start", "ID"]);
        }
        bundle.ok(&["delete", "--force", "ID"]);
        assert_eq!(bundle.left(), [""; 0]);
    }
}

#[test]
fn a_container_that_died_before_its_start_says_so() {
    let bundle = Bundle::created("died", "true");
    bundle.ok(&["kill", "ID", "SIGKILL"]);
    bundle.until("stopped");
    insta::assert_snapshot!(bundle.refused(&["start", "ID"]), @"skiff-runtime: cannot start the container ID: it has ended before it was started");
}

#[test]
fn failures_name_the_thing_and_leave_nothing() {
    let bundle = Bundle::new("fail", &["/no/such/program"], json!({}));
    let said = |bundle: &Bundle| bundle.refused(&["run", "--bundle", bundle.path(), "ID"]);
    insta::assert_snapshot!(said(&bundle), @"skiff-runtime: cannot execute /no/such/program: No such file or directory");
    assert_eq!(bundle.left(), [""; 0]);
    let output = bundle.create(&[]);
    assert!(!output.status.success());
    assert_eq!(bundle.left(), [""; 0]);

    let mounts = json!([{ "destination": "/x", "type": "bind", "source": "/no/such/source", "options": ["bind"] }]);
    let bundle = Bundle::new("mount", &["true"], json!({ "mounts": mounts }));
    insta::assert_snapshot!(said(&bundle), @"skiff-runtime: cannot open the source of a mount /no/such/source: No such file or directory");

    std::fs::write(bundle.config(), "{ not json").unwrap();
    insta::assert_snapshot!(said(&bundle), @"skiff-runtime: cannot understand [bundle]/config.json: key must be a string at line 1 column 3");
    std::fs::remove_file(bundle.config()).unwrap();
    insta::assert_snapshot!(said(&bundle), @"
    skiff-runtime: cannot read [bundle]/config.json: No such file or directory
    A bundle is a directory with a config.json and a root file system; `spec` writes a config.json.
    ");
    insta::assert_snapshot!(bundle.refused(&["state", "../escape"]), @r#"skiff-runtime: cannot use the container id "../escape": it may have letters, digits and _ + - . only"#);
    insta::assert_snapshot!(bundle.refused(&["--systemd-cgroup", "state", "ID"]), @"
    skiff-runtime: cannot let systemd make the cgroups --systemd-cgroup: this runtime makes them itself
    Configure the cgroupfs driver (docker: exec-opts native.cgroupdriver=cgroupfs).
    ");
    insta::assert_snapshot!(bundle.refused(&["conjure"]), @"
    skiff-runtime: cannot carry out the command conjure: there is no such command
    No help topic for 'conjure'; --help lists the commands.
    ");
    assert_eq!(bundle.left(), [""; 0]);
}

#[test]
fn the_version_is_told_in_the_lines_that_callers_parse() {
    let bundle = Bundle::shell("version", "true");
    let expected = format!("skiff-runtime version {}\nspec: 1.2.0\n", env!("CARGO_PKG_VERSION"));
    for option in ["--version", "-v"] {
        assert_eq!(bundle.ok(&[option]), expected);
    }
}

#[test]
fn the_log_has_what_standard_error_says() {
    let bundle = Bundle::shell("log", "true");
    let log = bundle.rootfs.join("log.json");
    bundle.refused(&["--log", log.to_str().unwrap(), "--log-format=json", "--debug", "state", "ID"]);
    let entry: Value = serde_json::from_slice(&std::fs::read(&log).unwrap()).unwrap();
    assert_eq!(entry["level"], "error");
    assert!(entry["msg"].as_str().unwrap().ends_with("container does not exist"));
}

#[test]
fn the_pid_file_names_the_program() {
    let bundle = Bundle::shell("pid", "sleep 60");
    let file = bundle.rootfs.join("pid");
    assert!(bundle.create(&["--pid-file", file.to_str().unwrap()]).status.success());
    let pid: i64 = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    assert_eq!(bundle.state()["pid"], pid);
}

#[test]
fn exec_in_its_shapes() {
    let bundle = Bundle::created("exec", "sleep 60");
    bundle.ok(&["start", "ID"]);
    let said =
        bundle.ok(&["exec", "--cwd", "/tmp", "-e", "A=b", "--user", "33:33", "ID", "sh", "-c", "pwd; echo $A; id -u"]);
    assert_eq!(said, "/tmp\nb\n33\n");
    assert_eq!(bundle.invoke(&["exec", "ID", "sh", "-c", "exit 9"]).status.code(), Some(9));
    let output = bundle.invoke(&["exec", "ID", "nope"]);
    assert_eq!(output.status.code(), Some(255));
    let group = bundle.ok(&["exec", "ID", "grep", "-E", "pids:|^0::", "/proc/self/cgroup"]);
    assert_eq!(group.trim().rsplit(':').next(), Some("/"), "in the container's own group");

    let process = bundle.rootfs.join("process.json");
    let wanted = json!({ "cwd": "/", "args": ["sh", "-c", "grep -i capeff /proc/self/status"], "env": ["PATH=/bin"],
        "user": { "uid": 0, "gid": 0 }, "capabilities": { "bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"] } });
    std::fs::write(&process, wanted.to_string()).unwrap();
    assert_eq!(bundle.ok(&["exec", "--process", process.to_str().unwrap(), "ID"]), "CapEff:\t0000000000000020\n");

    let file = bundle.rootfs.join("exec-pid");
    let detached = ["exec", "--detach", "--pid-file", file.to_str().unwrap(), "ID", "sleep", "50"];
    let args = detached.iter().map(|arg| if *arg == "ID" { bundle.id.as_str() } else { arg });
    assert!(bundle.command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    let pid: i64 = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    let pids: Vec<i64> = serde_json::from_str(&bundle.ok(&["ps", "--format", "json", "ID"])).unwrap();
    assert!(pids.contains(&pid));
    let table = bundle.ok(&["ps", "ID"]);
    assert!(table.starts_with("UID") && table.contains("sleep 50"), "{table}");
}

#[test]
fn a_terminal_is_sent_to_the_console_socket() {
    let bundle = Bundle::new(
        "console",
        &["sh", "-c", "stty size; test -t 0 && echo yes"],
        json!({
            "process": { "terminal": true, "consoleSize": { "width": 100, "height": 30 } },
        }),
    );
    let said = bundle.create(&[]);
    assert!(String::from_utf8(said.stderr).unwrap().contains("Give --console-socket"));
    assert_eq!(bundle.left(), [""; 0]);

    let socket = bundle.rootfs.join("console.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    assert!(bundle.create(&["--console-socket", socket.to_str().unwrap()]).status.success());
    let mut console = std::fs::File::from(received(&listener));
    bundle.ok(&["start", "ID"]);
    let mut text = String::new();
    // The end of a terminal is EIO.
    let _ = console.read_to_string(&mut text);
    assert_eq!(text, "30 100\r\nyes\r\n");
    bundle.until("stopped");
}

fn received(listener: &UnixListener) -> OwnedFd {
    let (stream, _) = listener.accept().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = rustix::net::RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 64];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    rustix::net::recvmsg(&stream, &mut parts, &mut control, rustix::net::RecvFlags::empty()).unwrap();
    let found = control.drain().find_map(|message| match message {
        rustix::net::RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    found.expect("no descriptor came")
}

#[test]
fn run_shows_the_terminal_in_the_foreground() {
    let patch = json!({ "process": { "terminal": true } });
    let bundle = Bundle::new("relay", &["sh", "-c", "read line; echo got $line; cat; exit 5"], patch);
    let mut child = bundle
        .command()
        .args(["run", "--bundle", bundle.path(), &bundle.id])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"word\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "word\r\ngot word\r\n");
    assert_eq!(bundle.left(), [""; 0]);
}

#[test]
fn signals_to_a_running_run_reach_the_program() {
    let bundle = Bundle::shell("signals", "trap 'exit 8' TERM; echo up; while :; do sleep 0.05; done");
    let mut child =
        bundle.command().args(["run", "--bundle", bundle.path(), &bundle.id]).stdout(Stdio::piped()).spawn().unwrap();
    let mut up = [0; 3];
    child.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(8));
    assert_eq!(bundle.left(), [""; 0]);
}

#[test]
fn hooks_run_at_their_moments_and_read_the_state() {
    let bundle = Bundle::shell("hooks", "echo program >> /tmp/told; sleep 60");
    let script = bundle.rootfs.join("hook");
    let told = bundle.rootfs.path().join("tmp/told");
    let text = format!(
        "#!/bin/sh\nstate=$(cat | tr -d '\\n ' | sed 's/.*\"status\":\"\\([a-z]*\\)\".*/\\1/')\necho $1 $state $A >> {}\n",
        told.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let hook = |name: &str| json!([{ "path": script, "args": ["hook", name], "env": ["A=1", "PATH=/usr/bin:/bin"], "timeout": 10 }]);
    let names = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];
    let mut hooks: serde_json::Map<_, _> = names.iter().map(|name| ((*name).to_owned(), hook(name))).collect();
    // This one is looked for inside, where there is no other shell than busybox.
    let inside = json!([{ "path": "/bin/sh", "args": ["sh", "-c", "cat > /tmp/state; echo start $A >> /tmp/told"], "env": ["A=2", "PATH=/bin"] }]);
    hooks.insert("startContainer".into(), inside);
    patch(&bundle, json!({ "hooks": hooks, "root": { "readonly": false } }));
    let output = bundle.create(&[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = || std::fs::read_to_string(&told).unwrap();
    assert_eq!(read(), "prestart creating 1\ncreateRuntime creating 1\ncreateContainer creating 1\n");
    bundle.ok(&["start", "ID"]);
    let deadline = Instant::now() + Duration::from_mins(1);
    while !read().contains("program") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    bundle.ok(&["delete", "--force", "ID"]);
    let told = read();
    let state: Value = serde_json::from_slice(&std::fs::read(bundle.rootfs.path().join("tmp/state")).unwrap()).unwrap();
    assert_eq!((&state["status"], &state["pid"]), (&json!("created"), &json!(1)));
    for line in ["start 2\n", "program\n", "poststart running 1\n", "poststop stopped 1\n"] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn a_hook_that_fails_or_hangs_stops_the_create() {
    let bundle = Bundle::shell("badhook", "true");
    patch(&bundle, json!({ "hooks": { "createRuntime": [{ "path": "/bin/false" }] } }));
    let said = |bundle: &Bundle| bundle.refused(&["run", "--bundle", bundle.path(), "ID"]);
    insta::assert_snapshot!(said(&bundle), @"skiff-runtime: cannot run the createRuntime hook /bin/false: error running hook: exit status 1, stdout: , stderr: ");
    patch(
        &bundle,
        json!({ "hooks": { "createRuntime": [{ "path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1 }] } }),
    );
    insta::assert_snapshot!(said(&bundle), @"skiff-runtime: cannot run the createRuntime hook /bin/sleep: it did not end within 1 seconds");
    assert_eq!(bundle.left(), [""; 0]);
}

#[test]
fn no_way_to_write_the_runtimes_own_file() {
    let script = "exec 3>/proc/1/exe; echo $? >&2";
    let bundle = Bundle::shell("exe", "sleep 60");
    assert!(bundle.create(&[]).status.success());
    let pid = bundle.state()["pid"].as_i64().unwrap();
    // Before `start` the first process still runs the runtime's file.
    let error = std::fs::OpenOptions::new().write(true).open(format!("/proc/{pid}/exe")).unwrap_err();
    assert!(matches!(error.raw_os_error(), Some(libc::EROFS | libc::ETXTBSY)), "{error}");
    bundle.ok(&["start", "ID"]);
    assert!(!bundle.invoke(&["exec", "ID", "sh", "-c", script]).status.success());
}
