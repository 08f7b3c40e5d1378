//! docker-py, Debian's, against `skiffd`: the scripts in `sdk/`.

use std::process::Command;

use skiff_tests::{Daemon, run};

/// Runs one of the scripts with the daemon as its docker.
fn script(name: &str) {
    let daemon = Daemon::start();
    // Debian's own interpreter, whatever else is installed: it has Debian's docker-py.
    let mut python = Command::new("/usr/bin/python3");
    python.arg(format!("{}/tests/sdk/{name}.py", env!("CARGO_MANIFEST_DIR")));
    python.env("DOCKER_HOST", format!("unix://{}", daemon.socket().display()));
    python.env("DOCKER_CONFIG", daemon.directory().join("client")).env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = run(&mut python, b"");
    assert!(ran.code == 0, "{ran}\n--- log\n{}", daemon.log());
    daemon.finish();
}

#[test]
fn containers_and_execs() {
    script("containers");
}

#[test]
fn what_older_clients_ask_for() {
    script("older");
}
