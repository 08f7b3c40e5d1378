//! How `skiffd` is told what to do: `daemon.json`, SIGHUP, systemd's sockets, and who may come from the network.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use skiff_tests::{Daemon, Ran, binary, run};

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "it does not happen: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// An authority, and certificates that it has signed: `ca`, `server` (for 127.0.0.1) and `client`, each `.pem` and `.key`.
fn certificates(home: &Path) {
    let script = "set -e; cd $0
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca -days 30 -keyout ca.key -out ca.pem
        for name in server client; do
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
            echo subjectAltName=IP:127.0.0.1 > $name.ext
            openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile $name.ext -out $name.pem
        done";
    run(Command::new("sh").args(["-c", script]).arg(home), b"").ok();
}

#[test]
fn the_network_is_for_those_with_a_certificate() {
    let home = tempfile::tempdir().unwrap();
    certificates(home.path());
    let file = |name: &str| home.path().join(name).display().to_string();
    let (ca, cert, key) = (file("ca.pem"), file("server.pem"), file("server.key"));
    let daemon = Daemon::bare(&[
        "-H",
        "tcp://127.0.0.1:2376",
        "--tlsverify",
        &format!("--tlscacert={ca}"),
        &format!("--tlscert={cert}"),
        &format!("--tlskey={key}"),
    ]);
    // It answers when it listens everywhere.
    daemon.docker(&["version"]).ok();
    let ask = |more: &[&str], url: &str| -> Ran {
        daemon.on_host(&[&["curl", "-s", "--max-time", "30", "--cacert", &ca], more, &[url]].concat())
    };
    let (client, client_key) = (file("client.pem"), file("client.key"));
    let with = ["--cert", client.as_str(), "--key", client_key.as_str()];
    assert_eq!(ask(&with, "https://127.0.0.1:2376/_ping").ok(), "OK");
    assert_ne!(ask(&[], "https://127.0.0.1:2376/_ping").code, 0);
    assert_ne!(ask(&[], "http://127.0.0.1:2376/_ping").code, 0);
    // Hijacked connections go over it as well.
    let flags = ["--tlsverify", "--tlscacert", &ca, "--tlscert", &client, "--tlskey", &client_key];
    let docker = [&["docker", "-H", "tcp://127.0.0.1:2376"], &flags[..], &["run", "--rm", "-i", "hello"]].concat();
    let said = daemon.on_host(&docker);
    assert!(said.code == 0, "{said}\n{}", daemon.log());
    let skiff = binary("skiff").display().to_string();
    let skiff = [&[skiff.as_str(), "-H", "tcp://127.0.0.1:2376"], &flags[..], &["run", "--rm", "-i", "hello"]].concat();
    assert!(daemon.on_host(&skiff).ok().contains("Hello from inside a container."));
    daemon.finish();
}

#[test]
fn without_a_certificate_somebody_has_to_insist() {
    let home = tempfile::tempdir().unwrap();
    let root = |name: &str| home.path().join(name).display().to_string();
    let mut skiffd = Command::new(binary("skiffd"));
    skiffd.args(["-H", "tcp://127.0.0.1:1", "--data-root", &root("data"), "--exec-root", &root("exec")]);
    run(&mut skiffd, b"").fails(1, "needs --tlsverify");
    let daemon = Daemon::bare(&["-H", "tcp://127.0.0.1:2375", "--tls=false"]);
    daemon.docker(&["version"]).ok();
    assert_eq!(daemon.on_host(&["curl", "-s", "--max-time", "30", "http://127.0.0.1:2375/_ping"]).ok(), "OK");
    daemon.finish();
}

#[test]
fn a_file_has_the_flags_and_is_read_again() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("daemon.json");
    let settings = r#"{"labels": ["rack=7"], "init": true, "log-opts": {"max-size": "1m"}, "debug": false,
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 99, "Hard": 100}}, "dns": ["10.9.8.7"]}"#;
    fs::write(&path, settings).unwrap();
    let daemon = Daemon::bare(&["--config-file", path.to_str().unwrap()]);
    assert_eq!(daemon.docker(&["info", "--format", "{{.Labels}}"]).ok(), "[rack=7]");
    let id = daemon.docker(&["create", "hello"]);
    let format =
        "{{.HostConfig.Init}} {{.HostConfig.LogConfig.Config}} {{.HostConfig.Dns}} {{len .HostConfig.Ulimits}}";
    let shown = daemon.docker(&["inspect", "--format", format, id.ok()]);
    assert_eq!(shown.ok(), "true map[max-size:1m] [10.9.8.7] 1");
    daemon.docker(&["rm", id.ok()]).ok();
    assert!(!daemon.log().contains("/_ping"), "{}", daemon.log());
    let changed = settings.replace(r#""debug": false"#, r#""debug": true"#).replace("rack=7", "rack=8");
    fs::write(&path, changed.replacen('{', r#"{"registry-mirrors": ["http://127.0.0.1:7/"], "#, 1)).unwrap();
    let hang_up = || run(Command::new("kill").args(["-HUP", &daemon.pid().to_string()]), b"");
    hang_up().ok();
    eventually("requests are logged", || {
        daemon.docker(&["version"]).ok();
        daemon.log().contains("/_ping")
    });
    assert_eq!(
        daemon.docker(&["info", "-f", "{{.Labels}} {{.RegistryConfig.Mirrors}}"]).ok(),
        "[rack=8] [http://127.0.0.1:7/]"
    );
    let soon = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 1;
    let past = ["events", "--since", "1", "--until", &soon.to_string(), "--filter", "type=daemon", "--format"];
    let told =
        daemon.docker(&[&past[..], &["{{.Action}} {{.Actor.Attributes.debug}} {{.Actor.Attributes.labels}}"]].concat());
    assert_eq!(told.ok(), "reload true [\"rack=8\"]");
    fs::write(&path, r#"{"colour": "red", "labels": ["rack=9"]}"#).unwrap();
    hang_up().ok();
    eventually("a warning", || daemon.log().contains("don't match any configuration option: colour"));
    assert!(daemon.log().contains("everything stays as it was"));
    assert_eq!(daemon.docker(&["info", "-f", "{{.Labels}}"]).ok(), "[rack=8]");
    daemon.finish();
}

#[test]
fn systemd_may_hold_the_socket() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    let script = format!(
        "import os, socket, sys\n\
         listening = socket.socket(socket.AF_UNIX)\n\
         listening.bind({socket:?})\n\
         listening.listen()\n\
         os.dup2(listening.fileno(), 3)\n\
         os.set_inheritable(3, True)\n\
         os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='docker.socket')\n\
         os.execv(sys.argv[1], sys.argv[1:])\n",
        socket = path("passed.sock")
    );
    let mut skiffd = Command::new("unshare");
    skiffd.args(["--net", "/usr/bin/python3", "-c", &script]).arg(binary("skiffd"));
    skiffd.args(["-H", "fd://docker.socket", "--data-root", &path("data"), "--exec-root", &path("exec")]);
    skiffd.args(["--cgroup-parent", "skiff-test-passed"]);
    let mut child = skiffd.spawn().unwrap();
    let ask = || run(Command::new("curl").args(["-s", "--unix-socket", &path("passed.sock"), "http://d/_ping"]), b"");
    eventually("an answer", || ask().stdout == "OK");
    run(Command::new("kill").args(["-TERM", &child.id().to_string()]), b"").ok();
    assert!(child.wait().unwrap().success());
}

#[test]
fn settings_can_be_checked_without_starting() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("daemon.json");
    let check = |text: &str, more: &[&str]| {
        fs::write(&path, text).unwrap();
        let mut skiffd = Command::new(binary("skiffd"));
        run(skiffd.args(["--validate", "--config-file"]).arg(&path).args(more), b"")
    };
    check(r#"{"debug": true, "features": {"buildkit": true}, "default-runtime": "runc"}"#, &[])
        .fails(0, "configuration OK");
    check(r#"{"debug": false}"#, &["-D"])
        .fails(1, "in the configuration file: debug: (from flag: true, from file: false)");
    check(r#"{"validate": true}"#, &[]).fails(1, "don't match any configuration option: validate");
    check(r#"{"log-opts": {"colour": "red"}}"#, &[])
        .fails(1, "failed to set log opts: unknown log opt 'colour' for json-file");
    check("{", &[]).fails(1, "unable to configure the daemon with file");
}
