//! A dockerd from Debian with roots and a network namespace of its own: what ours is compared with.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::parts::busybox_tar;
use crate::run::{Ran, run};

/// It runs for as long as this lives.
#[derive(Debug)]
pub struct Dockerd {
    child: Child,
    client: PathBuf,
    directory: tempfile::TempDir,
}

impl Dockerd {
    /// Starts it with further arguments and the image that sessions expect. `client` is the docker to talk to it with.
    pub fn start(client: &Path, arguments: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("skiff-dockerd-").tempdir().expect("a temporary directory");
        let path = |name: &str| directory.path().join(name);
        let mut command = Command::new("unshare");
        // What it mounts (the root of a container, the file that its network namespace is bound to) ends with it.
        command.args(["--net", "--mount", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", "dockerd"]);
        command.arg("--host").arg(format!("unix://{}", path("docker.sock").display()));
        command.arg("--data-root").arg(path("data")).arg("--exec-root").arg(path("exec"));
        command.arg("--pidfile").arg(path("pid")).args(arguments);
        let log = std::fs::File::create(path("log")).expect("a log file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("dockerd starts");
        let dockerd = Self { child, client: client.to_owned(), directory };
        dockerd.import();
        dockerd
    }

    /// Waits until it answers, and gives it the image.
    fn import(&self) {
        let end = Instant::now() + Duration::from_mins(1);
        while self.docker(&["version"]).code != 0 {
            let log = || std::fs::read_to_string(self.directory().join("log")).unwrap_or_default();
            assert!(Instant::now() < end, "dockerd does not answer: {}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
        let tar = busybox_tar().display().to_string();
        self.docker(&["import", "--change", "CMD [\"sh\"]", &tar, "busybox:latest"]).ok();
    }

    /// `docker ARGUMENTS` to its end.
    pub fn docker(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&self.client);
        command.arg("-H").arg(format!("unix://{}", self.socket().display())).args(arguments);
        run(&mut command, b"")
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("docker.sock")
    }

    /// Its process id; also the way into its network namespace.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let _asked = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ended = self.child.wait();
    }
}
