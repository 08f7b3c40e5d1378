//! A dockerd from Debian, for its images only: no network, no containers, nothing outside its own directory.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skiff_tests::{Ran, run};

/// It runs for as long as this lives.
#[derive(Debug)]
pub(crate) struct Dockerd {
    child: Child,
    directory: tempfile::TempDir,
}

impl Dockerd {
    pub(crate) fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("skiff-exchange-").tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "dockerd", "--bridge=none", "--iptables=false"]);
        command.arg("--host").arg(format!("unix://{}", path("docker.sock").display()));
        command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
        command.arg("--pidfile").arg(path("pid"));
        let log = std::fs::File::create(path("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut dockerd = Self { child, directory };
        let end = Instant::now() + Duration::from_mins(2);
        while dockerd.docker(&["version"]).code != 0 {
            let log = std::fs::read_to_string(dockerd.path("log")).unwrap_or_default();
            assert!(dockerd.child.try_wait().unwrap().is_none(), "dockerd has ended:\n{log}");
            assert!(Instant::now() < end, "dockerd does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(100));
        }
        dockerd
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The real client, with this daemon.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("docker");
        command.arg("-H").arg(format!("unix://{}", self.path("docker.sock").display())).args(arguments);
        run(command.env_remove("DOCKER_HOST"), b"")
    }

    /// Where a file may be put that both sides read.
    pub(crate) fn file(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let _asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ended = self.child.wait();
    }
}
