//! The daemon that a suite talks to, with the images that suites take for granted.
//!
//! Suites pull `alpine:3.10`, `busybox`, `hello-world` from the Docker Hub. A registry in the daemon's own network namespace
//! stands in for it, as its mirror, with images of busybox under those names.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use skiff_tests::{Daemon, Registry, busybox_tar};

use crate::shell;

/// Where the registry listens, in a network namespace where nobody else does.
const MIRROR: &str = "127.0.0.1:5000";
/// What the Hub has: the image, and its command.
const HUB: [(&str, &str); 5] = [
    ("alpine:3.10", r#"["sh"]"#),
    ("alpine:latest", r#"["sh"]"#),
    ("busybox:latest", r#"["sh"]"#),
    ("busybox:1.26.2", r#"["sh"]"#),
    ("hello-world:latest", r#"["echo", "hello world"]"#),
];

/// A daemon and its mirror.
pub(super) struct Served {
    pub(super) daemon: Daemon,
    _registry: Registry,
}

/// Starts both. `here` are the images that are on the daemon from the beginning; the others can be pulled.
pub(super) fn serve(scratch: &Path, here: &[&str]) -> Result<Served> {
    let mirror = format!("http://{MIRROR}");
    let daemon = Daemon::bare(&["--registry-mirror", &mirror]);
    let registry = Registry::at(daemon.pid(), MIRROR);
    let root = root(scratch)?;
    let root = root.display().to_string();
    for (name, command) in HUB {
        let pushed = format!("{MIRROR}/library/{name}");
        daemon.docker(&["import", "--change", &format!("CMD {command}"), &root, &pushed]).ok();
        daemon.docker(&["push", &pushed]).ok();
        if here.contains(&name) {
            daemon.docker(&["tag", &pushed, name]).ok();
        }
        daemon.docker(&["rmi", &pushed]).ok();
    }
    Ok(Served { daemon, _registry: registry })
}

impl Served {
    /// `command` in the daemon's network namespace, with the daemon as its docker.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.daemon.pid().to_string()]).arg(program);
        command.env("DOCKER_HOST", format!("unix://{}", self.daemon.socket().display()));
        command.env("HOME", self.daemon.directory()).env_remove("DOCKER_CONFIG");
        command
    }

    /// Ends it and proves that nothing is left, but for the containers that the suite has left.
    pub(super) fn finish(self) {
        let left = self.daemon.docker(&["ps", "--all", "--quiet"]).stdout;
        for id in left.split_whitespace() {
            self.daemon.docker(&["rm", "--force", "--volumes", id]);
        }
        self.daemon.finish();
    }
}

/// The root file system: busybox with what alpine has and suites ask for.
fn root(scratch: &Path) -> Result<std::path::PathBuf> {
    let root = scratch.join("root");
    std::fs::create_dir_all(root.join("var/opt"))?;
    shell::run(Command::new("tar").arg("-C").arg(&root).arg("-xf").arg(busybox_tar()))?;
    let users = "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\n";
    std::fs::write(root.join("etc/passwd"), users)?;
    std::fs::write(root.join("etc/group"), "root:x:0:root\npostgres:x:70:\n")?;
    let tar = scratch.join("root.tar");
    shell::run(Command::new("tar").arg("-C").arg(&root).args(["--numeric-owner", "-cf"]).arg(&tar).arg("."))?;
    Ok(tar)
}
