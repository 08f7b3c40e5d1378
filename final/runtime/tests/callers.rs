//! What callers rely on beyond the letter of the specification. Most of it was found by running the test suites of runc and crun
//! against this runtime.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may")]

mod bundle;
mod rootfs;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use bundle::{Bundle, patch};
use serde_json::{Value, json};

const WAITS: &str = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

fn hooks(event: &str, script: &str) -> Value {
    json!({ "hooks": { event: [{ "path": "/bin/sh", "args": ["sh", "-c", script] }] }, "root": { "readonly": false } })
}

/// A hook for graphics cards enters the container's mount namespace and mounts into its root, `/dev` included: what it puts
/// there must not be covered by a mount that comes later.
#[test]
fn a_runtime_hook_finds_everything_mounted() {
    let bundle = Bundle::shell("mounted", "cat /dev/from-hook /dev/shm/from-hook");
    let rootfs = bundle.rootfs.join("rootfs");
    fs::write(bundle.rootfs.join("card"), "card\n").unwrap();
    let script = format!(
        "pid=$(tr -d ' \\n' | sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'); cd /; exec nsenter -m -t $pid sh -c '
            : > {0}/dev/from-hook && mount --bind {1} {0}/dev/from-hook && cp {1} {0}/dev/shm/from-hook'",
        rootfs.display(),
        bundle.rootfs.join("card").display()
    );
    for event in ["prestart", "createRuntime"] {
        patch(&bundle, json!({ "hooks": null }));
        patch(&bundle, hooks(event, &script));
        assert_eq!(bundle.run(), (Some(0), "card\ncard\n".into(), String::new()), "{event}");
    }
    assert_eq!(bundle.left(), [""; 0]);
}

#[test]
fn a_create_hook_begins_in_the_root_and_inherits_what_it_is_not_given() {
    let bundle = Bundle::shell("inherits", "cat /made");
    patch(&bundle, hooks("createContainer", "echo printed; echo $CALLER > made"));
    let run = ["run", "--bundle", bundle.path(), &bundle.id];
    let output = bundle.command().args(run).env("CALLER", "of the runtime").output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "of the runtime\n",
        "and what a hook prints is not the program's"
    );
    patch(
        &bundle,
        json!({ "hooks": { "createContainer": [{
        "path": "/bin/sh", "args": ["sh", "-c", "echo $CALLER > made"], "env": ["CALLER=of the config"],
    }] } }),
    );
    let output = bundle.command().args(run).env("CALLER", "of the runtime").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "of the config\n");
}

#[test]
fn a_hook_that_fails_is_told_with_its_words() {
    let bundle = Bundle::shell("words", "true");
    patch(&bundle, hooks("createRuntime", "echo thinking; echo no card here >&2; exit 3"));
    let said = |bundle: &Bundle| bundle.refused(&["run", "--bundle", bundle.path(), "ID"]);
    insta::assert_snapshot!(said(&bundle), @"skiff-runtime: cannot run the createRuntime hook /bin/sh: error running hook: exit status 3, stdout: thinking, stderr: no card here");
    patch(&bundle, hooks("createRuntime", "kill -SYS $$"));
    insta::assert_snapshot!(said(&bundle), @"skiff-runtime: cannot run the createRuntime hook /bin/sh: error running hook: signal: bad system call, stdout: , stderr: ");
}

#[test]
fn a_poststart_hook_that_fails_ends_the_container() {
    let bundle = Bundle::shell("poststart", "sleep 1000");
    patch(&bundle, hooks("poststart", "exit 1"));
    let said = bundle.refused(&["run", "--bundle", bundle.path(), "ID"]);
    assert!(said.contains("cannot run the poststart hook /bin/sh: error running hook: exit status 1"), "{said}");
    assert_eq!(bundle.left(), [""; 0]);
    assert!(bundle.create(&[]).status.success());
    bundle.refused(&["start", "ID"]);
    assert_eq!(bundle.state()["status"], "stopped");
}

#[test]
fn a_tmpfs_becomes_read_only_when_everything_is_in_it() {
    let bundle = Bundle::shell(
        "rodev",
        "echo > /dev/new || grep -c '^tmpfs /dev tmpfs ro,' /proc/mounts; ls /dev/pts/ptmx /dev/null",
    );
    let mut config: Value = serde_json::from_slice(&fs::read(bundle.config()).unwrap()).unwrap();
    let dev = config["mounts"].as_array_mut().unwrap().iter_mut().find(|mount| mount["destination"] == "/dev").unwrap();
    dev["options"].as_array_mut().unwrap().push("ro".into());
    fs::write(bundle.config(), config.to_string()).unwrap();
    let (status, output, said) = bundle.run();
    assert_eq!((status, output.as_str()), (Some(0), "1\n/dev/null\n/dev/pts/ptmx\n"), "{said}");
}

/// Root of a user namespace may not pass a directory of mode 0700; who asked for the bind may.
#[test]
fn a_bind_needs_no_right_of_the_container_on_the_way_to_its_source() {
    let bundle = Bundle::shell("inaccessible", "cat /given/file; umount /given 2> /dev/null; echo no > /given/file");
    let private = bundle.rootfs.join("private");
    fs::create_dir_all(private.join("given")).unwrap();
    fs::create_dir(bundle.rootfs.path().join("given")).unwrap();
    fs::write(private.join("given/file"), "reached\n").unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(bundle.rootfs.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(bundle.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_534 }]);
    let mut config: Value = serde_json::from_slice(&fs::read(bundle.config()).unwrap()).unwrap();
    let linux = &mut config["linux"];
    linux["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    (linux["uidMappings"], linux["gidMappings"]) = (map.clone(), map);
    let given =
        json!({ "destination": "/given", "type": "bind", "source": "private/given", "options": ["rbind", "rslave"] });
    config["mounts"].as_array_mut().unwrap().push(given);
    fs::write(bundle.config(), config.to_string()).unwrap();
    let (_, output, said) = bundle.run();
    assert_eq!(output, "reached\n", "{said}");
    assert_eq!(
        fs::read_to_string(private.join("given/file")).unwrap(),
        "reached\n",
        "its files are not the container's"
    );
}

#[test]
fn a_limit_of_swap_alone_keeps_that_of_memory() {
    let bundle = Bundle::created("swap", WAITS);
    bundle.ok(&["update", "--memory", "32M", "ID"]);
    let output = bundle.invoke(&["update", "--memory-swap", &(96_i64 << 20).to_string(), "ID"]);
    let said = String::from_utf8_lossy(&output.stderr);
    // A kernel that does not count swap says so.
    assert!(output.status.success() || said.contains("This kernel has no"), "{said}");
    let stats: Value = serde_json::from_str(&bundle.ok(&["events", "--stats", "ID"])).unwrap();
    assert_eq!(stats["data"]["memory"]["usage"]["limit"], 32 << 20);
}

#[test]
fn out_of_memory_is_an_event_in_the_words_that_callers_look_for() {
    let bundle = Bundle::created("oom", "sleep 0.5; x=$(head -c 64000000 /dev/zero | tr '\\0' x); sleep 1000");
    bundle.ok(&["update", "--memory", "16M", "--memory-swap", "16M", "ID"]);
    let mut command = bundle.command();
    let mut events =
        command.args(["events", "--interval", "100ms", &bundle.id]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.next().unwrap().starts_with(r#"{"type":"stats","id":"skiff-runtime-oom","data":{"#));
    bundle.ok(&["start", "ID"]);
    let oom = r#"{"type":"oom","id":"skiff-runtime-oom"}"#;
    assert!(lines.any(|line| line == oom), "the events ended, and none was {oom}");
    bundle.ok(&["delete", "--force", "ID"]);
    lines.for_each(drop);
    events.wait().unwrap();
}

#[test]
fn signal_0_to_all_of_a_container_that_has_ended_is_no_failure() {
    let bundle = Bundle::created("zero", WAITS);
    bundle.ok(&["start", "ID"]);
    bundle.ok(&["kill", "ID", "0"]);
    bundle.ok(&["kill", "ID", "KILL"]);
    bundle.until("stopped");
    bundle.ok(&["kill", "--all", "ID", "0"]);
    bundle.refused(&["kill", "ID", "0"]);
}

#[test]
fn delete_takes_a_pattern_instead_of_an_id() {
    let bundle = Bundle::created("pattern", WAITS);
    let second = format!("{}-2", bundle.id);
    assert!(
        bundle
            .command()
            .args(["create", "--bundle", bundle.path(), &second])
            .stdout(Stdio::null())
            .status()
            .unwrap()
            .success()
    );
    bundle.ok(&["delete", "--force", "--regex", "-2$"]);
    assert_eq!(bundle.ok(&["list", "--quiet"]), format!("{}\n", bundle.id));
    bundle.ok(&["delete", "--force", "--regex", "^skiff-runtime-pat+ern$"]);
    assert_eq!(bundle.ok(&["list", "--quiet"]), "");
    bundle.refused(&["delete", "--regex", "("]);
}

#[test]
fn sockets_of_the_caller_reach_the_program() {
    let bundle = Bundle::shell("listen", "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; readlink /proc/self/fd/3");
    let runtime = rootfs::runtime();
    let records = bundle.rootfs.join("records");
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" 3< /etc/passwd"]).arg(runtime).arg("--root").arg(records);
    command.args(["run", "--bundle", bundle.path(), &bundle.id]);
    let output = command.env("LISTEN_FDS", "1").env("LISTEN_FDNAMES", "web").stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 1 web\n/etc/passwd\n", "{output:?}");
}

#[test]
fn a_container_without_a_program_can_be_created_and_not_started() {
    let bundle = Bundle::new("none", &["true"], json!({ "process": null }));
    insta::assert_snapshot!(bundle.refused(&["run", "--bundle", bundle.path(), "ID"]), @"skiff-runtime: cannot use config.json process: it is missing");
    let output = bundle.create(&[]);
    assert!(output.status.success(), "{output:?}");
    insta::assert_snapshot!(bundle.refused(&["start", "ID"]), @"
    skiff-runtime: cannot use config.json process: it is missing
    It can be deleted. Create it again with a program.
    ");
    assert_eq!(bundle.state()["status"], "created");
    bundle.ok(&["delete", "--force", "ID"]);
    assert_eq!(bundle.left(), [""; 0]);
}

/// Rootless Podman calls the runtime as root of a user namespace, where `/run` and the cgroups are still the host's.
#[test]
fn root_of_an_ordinary_users_namespace_is_an_ordinary_user() {
    let bundle = Bundle::shell("disguise", "echo up");
    patch(&bundle, json!({ "linux": { "cgroupsPath": null } }));
    let (runtime, own) = (bundle.rootfs.join("runtime"), bundle.rootfs.join("own"));
    fs::copy(rootfs::runtime(), &runtime).unwrap();
    fs::create_dir(&own).unwrap();
    // Without a network namespace of its own a new sysfs cannot be mounted, and without the cgroups none of theirs either.
    let mut config: Value = serde_json::from_slice(&fs::read(bundle.config()).unwrap()).unwrap();
    config["mounts"].as_array_mut().unwrap().retain(|mount| mount["destination"] == "/proc");
    config["linux"].as_object_mut().unwrap().remove("resources");
    fs::write(bundle.config(), config.to_string()).unwrap();
    assert!(Command::new("chown").args(["-R", "4242:4242", bundle.path()]).status().unwrap().success());
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid",
        "4242",
        "--regid",
        "4242",
        "--clear-groups",
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
    ]);
    command.arg(runtime).args(["run", "--bundle", bundle.path(), &bundle.id]);
    let output = command.env("XDG_RUNTIME_DIR", &own).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare failed") {
        return eprintln!("this machine lets no ordinary user make a user namespace: not tried");
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout), "up\n", "{said}");
    assert!(own.join("skiff-runtime").exists(), "where its user's records are");
}
