//! A dockerd from Debian with roots and a network namespace of its own, for recording.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skiff_tests::{busybox_tar, run};

/// It runs for as long as this lives.
#[derive(Debug)]
pub(crate) struct Dockerd {
    child: Child,
    directory: tempfile::TempDir,
}

impl Dockerd {
    /// Starts it with the image that a session expects.
    pub(crate) fn start(client: &Path) -> Self {
        let directory = tempfile::Builder::new().prefix("skiff-transcript-").tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", "dockerd"]);
        command.arg("--host").arg(format!("unix://{}", path("docker.sock").display()));
        command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
        command.arg("--pidfile").arg(path("pid"));
        let log = std::fs::File::create(path("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let dockerd = Self { child, directory };
        dockerd.import(client);
        dockerd
    }

    /// Waits until it answers, and gives it the image.
    fn import(&self, client: &Path) {
        let docker = |arguments: &[&str]| {
            let mut command = Command::new(client);
            command.arg("-H").arg(format!("unix://{}", self.socket().display())).args(arguments);
            run(&mut command, b"")
        };
        let end = Instant::now() + Duration::from_mins(1);
        while docker(&["version"]).code != 0 {
            assert!(Instant::now() < end, "dockerd does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        let tar = busybox_tar().display().to_string();
        docker(&["import", "--change", "CMD [\"sh\"]", &tar, "busybox:latest"]).ok();
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// Its files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let _asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ended = self.child.wait();
    }
}
