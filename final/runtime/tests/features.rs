//! What the other suites do not reach: agents, mapped mounts, ordinary users, limits that change, the edges of `exec`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod bundle;
mod rootfs;

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use bundle::{Bundle, patch};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde_json::{Value, json};

const WAITS: &str = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

/// The usual mounts and one more.
fn with_mount(bundle: &Bundle, mount: Value) {
    let mut config: Value = serde_json::from_slice(&std::fs::read(bundle.config()).unwrap()).unwrap();
    config["mounts"].as_array_mut().unwrap().push(mount);
    std::fs::write(bundle.config(), config.to_string()).unwrap();
}

/// What the agent gets: the state, and the listener.
fn introduction(agent: &UnixListener) -> (Value, Vec<OwnedFd>) {
    let (socket, _) = agent.accept().unwrap();
    let mut text = vec![0; 64 << 10];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC)
            .unwrap();
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds.collect::<Vec<_>>()),
        _ => None,
    });
    let fds = rights.flatten().collect();
    (serde_json::from_slice(&text[..received.bytes]).unwrap(), fds)
}

#[test]
fn an_agent_is_asked_about_system_calls() {
    let bundle = Bundle::shell("agent", "mkdir /tmp/asked 2>&1");
    let path = bundle.rootfs.join("agent");
    patch(
        &bundle,
        json!({ "root": { "readonly": false }, "linux": { "seccomp": {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "of mine",
        "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY" }],
    } } }),
    );
    let agent = UnixListener::bind(&path).unwrap();
    let asked = std::thread::spawn(move || {
        let (state, fds) = introduction(&agent);
        assert_eq!(fds.len(), 1);
        // An agent that goes away without an answer: whoever waits for it, now and later, hears ENOSYS.
        drop(fds);
        state
    });
    let (status, output, said) = bundle.run();
    assert_eq!(
        (status, output.as_str()),
        (Some(1), "mkdir: can't create directory '/tmp/asked': Function not implemented\n"),
        "{said}"
    );
    let state = asked.join().unwrap();
    assert_eq!(state["fds"], json!(["seccompFd"]));
    assert_eq!((&state["metadata"], &state["state"]["id"]), (&json!("of mine"), &json!(bundle.id)));
    assert_eq!(state["pid"], state["state"]["pid"]);
    assert!(state["pid"].as_i64().unwrap() > 1, "the host's number, not the container's");
    assert_eq!(bundle.left(), [""; 0]);
    std::fs::remove_file(&path).unwrap();
    let refused = bundle.refused(&["run", "--bundle", bundle.path(), "ID"]);
    insta::assert_snapshot!(refused, @"skiff-runtime: cannot connect to the agent at [bundle]/agent: No such file or directory");
}

#[test]
fn a_mount_can_have_other_owners() {
    let bundle = Bundle::shell("mapped", "stat -c '%u %g' /mnt/file; touch /mnt/made");
    let shared = bundle.rootfs.join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("file"), "").unwrap();
    for path in [shared.clone(), shared.join("file")] {
        chown(path, Some(1234), Some(1234)).unwrap();
    }
    let map = |to: u32| json!([{ "containerID": 1234, "hostID": to, "size": 1 }]);
    with_mount(
        &bundle,
        json!({ "destination": "/mnt", "type": "bind", "source": "shared", "options": ["bind"], "uidMappings": map(0), "gidMappings": map(0) }),
    );
    assert_eq!(bundle.run(), (Some(0), "0 0\n".into(), String::new()));
    let made = rustix::fs::stat(shared.join("made")).unwrap();
    assert_eq!((made.st_uid, made.st_gid), (1234, 1234), "mapped on the way out as well");
    // In a user namespace, and with its own maps.
    let outer = json!([{ "containerID": 0, "hostID": 100_000, "size": 2000 }]);
    patch(
        &bundle,
        json!({ "linux": { "uidMappings": outer, "gidMappings": outer, "namespaces": [
        { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" }, { "type": "user" },
    ] } }),
    );
    let mut config: Value = serde_json::from_slice(&std::fs::read(bundle.config()).unwrap()).unwrap();
    let last = config["mounts"].as_array_mut().unwrap().last_mut().unwrap();
    *last = json!({ "destination": "/mnt", "type": "bind", "source": "shared", "options": ["bind", "idmap"] });
    std::fs::write(bundle.config(), config.to_string()).unwrap();
    chown(bundle.rootfs.join("rootfs"), Some(100_000), Some(100_000)).unwrap();
    assert_eq!(bundle.run(), (Some(0), "1234 1234\n".into(), String::new()));
    assert_eq!(bundle.left(), [""; 0]);
}

#[test]
fn a_tmpfs_begins_with_what_it_covers() {
    let bundle =
        Bundle::shell("copy-up", "cat /etc/group | head -n 1; stat -c %a /etc; touch /etc/new && rm /etc/passwd");
    std::fs::set_permissions(bundle.rootfs.join("rootfs/etc"), std::fs::Permissions::from_mode(0o751)).unwrap();
    with_mount(&bundle, json!({ "destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup"] }));
    assert_eq!(bundle.run(), (Some(0), "root:x:0:\n751\n".into(), String::new()));
    assert!(bundle.rootfs.join("rootfs/etc/passwd").exists());
    assert!(!bundle.rootfs.join("rootfs/etc/new").exists());
}

#[test]
fn limits_change_while_it_runs() {
    let bundle = Bundle::created("update", WAITS);
    bundle.ok(&["start", "ID"]);
    let read = |file: &str| bundle.ok(&["exec", "ID", "cat", file]);
    bundle.ok(&["update", "--memory", "64M", "--pids-limit=33", "--cpu-share", "300", "ID"]);
    let resources = bundle.rootfs.join("limits.json");
    if std::path::Path::new("/sys/fs/cgroup/memory").exists() {
        assert_eq!(read("/sys/fs/cgroup/memory/memory.limit_in_bytes"), "67108864\n");
        assert_eq!(read("/sys/fs/cgroup/cpu/cpu.shares"), "300\n");
    }
    std::fs::write(&resources, r#"{ "pids": { "limit": 44 } }"#).unwrap();
    bundle.ok(&["update", "--resources", resources.to_str().unwrap(), "ID"]);
    let events = bundle.ok(&["events", "--stats", "ID"]);
    assert!(events.starts_with(&format!("{{\"type\":\"stats\",\"id\":\"{}\",\"data\":{{", bundle.id)), "{events}");
    let events: Value = serde_json::from_str(&events).unwrap();
    assert_eq!(events["data"]["pids"]["limit"], 44);
    assert!(events["data"]["memory"]["usage"]["usage"].as_u64().unwrap() > 0);
    insta::assert_snapshot!(bundle.refused(&["update", "--memory", "much", "ID"]), @r#"
    skiff-runtime: cannot read the size much: it has an unknown unit
    Write a number and a unit, such as 512k, 64m or 1.5g.
    "#);
    bundle.ok(&["kill", "ID", "KILL"]);
    bundle.until("stopped");
    insta::assert_snapshot!(bundle.refused(&["update", "--memory", "64M", "ID"]), @"skiff-runtime: cannot update the container ID: container not running");
    insta::assert_snapshot!(bundle.refused(&["events", "ID"]), @"skiff-runtime: cannot watch the container ID: container not running");
    // Whoever kills all that is left of it finds nobody, and that is well.
    bundle.ok(&["kill", "--all", "ID", "KILL"]);
}

#[test]
fn an_exec_has_its_own_ways() {
    let bundle = Bundle::created("ways", WAITS);
    bundle.ok(&["start", "ID"]);
    assert_eq!(bundle.ok(&["exec", "--user", "web", "ID", "id", "-u"]), "33\n");
    assert_eq!(bundle.ok(&["exec", "--user", "0:33", "ID", "id", "-g"]), "33\n");
    assert_eq!(
        bundle.ok(&["exec", "--env", "TERM=mine", "ID", "sh", "-c", "echo $TERM"]),
        "mine\n",
        "over the container's"
    );
    assert_eq!(bundle.ok(&["exec", "--cwd", "/tmp", "ID", "pwd"]), "/tmp\n");
    let process = bundle.rootfs.join("process.json");
    let affinity = json!({ "initial": "0", "final": "0" });
    let of = |extra: Value| {
        let mut process = json!({ "args": ["sh", "-c", "grep Cpus_allowed_list /proc/self/status"], "cwd": "/", "env": ["PATH=/bin"] });
        process.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        process.to_string()
    };
    std::fs::write(&process, of(json!({ "execCPUAffinity": affinity }))).unwrap();
    assert_eq!(bundle.ok(&["exec", "--process", process.to_str().unwrap(), "ID"]), "Cpus_allowed_list:\t0\n");
    insta::assert_snapshot!(bundle.refused(&["exec", "--cgroup", "../other", "ID", "true"]), @"skiff-runtime: cannot join the group ID: ../other is not a sub cgroup path");
    insta::assert_snapshot!(bundle.refused(&["exec", "--user", "nobody-here", "ID", "true"]), @r#"
    skiff-runtime: cannot find the user nobody-here: no matching entry in the image's passwd file
    Use a number, or add the user to /etc/passwd of the image.
    "#);
}

/// What an ordinary user can do with a bundle of his own, by number: he needs no entry in the passwd file.
#[test]
fn an_ordinary_user_can_run_one() {
    const USER: &str = "4242";
    let bundle = Bundle::new("rootless", &["true"], json!({}));
    let program = bundle.rootfs.join("runtime");
    std::fs::copy(rootfs::runtime(), &program).unwrap();
    std::fs::remove_file(bundle.config()).unwrap();
    std::fs::create_dir(bundle.rootfs.join("own")).unwrap();
    let all = Command::new("chown").args(["-R", &format!("{USER}:{USER}")]).arg(bundle.path()).status().unwrap();
    assert!(all.success());
    let as_user = |program: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups", program]).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", bundle.rootfs.join("own")).current_dir(bundle.path());
        command
    };
    if !as_user("unshare").args(["--user", "true"]).status().unwrap().success() {
        eprintln!("this machine lets no ordinary user make a user namespace: not tried");
        return;
    }
    let run = |args: &[&str]| {
        // Not by a pipe, which a container that waits would hold open.
        let file = std::fs::File::create(bundle.rootfs.join("output")).unwrap();
        let mut command = as_user(program.to_str().unwrap());
        let status = command.args(args).stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        (status.code(), bundle.output())
    };
    assert_eq!(run(&["spec", "--rootless"]), (Some(0), String::new()));
    patch(
        &bundle,
        json!({ "process": { "terminal": false, "args": ["sh", "-c", "id -u; cat /proc/self/uid_map; exit 3"] } }),
    );
    let (status, output) = run(&["run", &bundle.id]);
    assert_eq!((status, output.split_whitespace().collect::<Vec<_>>().join(" ").as_str()), (Some(3), "0 0 4242 1"));
    patch(&bundle, json!({ "process": { "args": ["sleep", "60"] } }));
    for args in [["create", &bundle.id].as_slice(), &["start", &bundle.id], &["exec", &bundle.id, "true"]] {
        assert_eq!(run(args), (Some(0), String::new()), "{args:?}");
    }
    assert_eq!(run(&["exec", &bundle.id, "sh", "-c", "exit 9"]).0, Some(9));
    assert!(run(&["list"]).1.contains("running"));
    assert!(run(&["ps", "--format", "json", &bundle.id]).1.starts_with('['));
    assert_eq!(run(&["delete", "--force", &bundle.id]), (Some(0), String::new()));
    assert_eq!(run(&["list", "-q"]), (Some(0), String::new()));
    assert_eq!(bundle.left(), [""; 0]);
}
