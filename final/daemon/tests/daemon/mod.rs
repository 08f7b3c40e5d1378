//! A `skiffd` of the test's own: its own roots, socket and network namespace. It and its files go away with the test.

#![allow(dead_code, reason = "each test file uses what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running daemon.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) home: TempDir,
}

impl Daemon {
    /// Starts one and waits until it answers.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same with further flags.
    pub(crate) fn with(flags: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let child = spawn(&home, flags);
        let mut daemon = Self { child, home };
        daemon.wait();
        daemon
    }

    /// Stops it and starts another on the same roots.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.child = spawn(&self.home, &[]);
        self.wait();
    }

    fn wait(&mut self) {
        let end = Instant::now() + Duration::from_secs(20);
        while UnixStream::connect(self.socket()).is_err() {
            assert!(self.child.try_wait().unwrap().is_none(), "skiffd has ended:\n{}", self.log());
            assert!(Instant::now() < end, "skiffd does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Starts one that has an image `busybox`.
    pub(crate) fn with_busybox() -> Self {
        let daemon = Self::start();
        let tree = daemon.home.path().join("busybox");
        let script = "set -e; mkdir -p $0/bin $0/tmp; cp /bin/busybox $0/bin/box; cd $0/bin; \
                      for name in $(/bin/busybox --list); do ln -s box $name; done; tar -C $0 -cf $0.tar .";
        assert!(Command::new("sh").arg("-c").arg(script).arg(&tree).status().unwrap().success());
        daemon.docker_ok(&["import", tree.with_extension("tar").to_str().unwrap(), "busybox"]);
        daemon
    }

    /// Makes a container of `body`, an object of the API without its image, and returns its id.
    pub(crate) fn create(&self, body: &str) -> String {
        let answer = self.post("/containers/create", &body.replacen('{', r#"{"Image":"busybox","#, 1));
        assert_eq!(answer.status(), 201, "{}", answer.body());
        answer.json()["Id"].as_str().unwrap().to_owned()
    }

    /// Sends a request that asks for the connection itself, and returns it with the head of the answer.
    pub(crate) fn hijack(&self, line: &str, body: &str) -> (UnixStream, String) {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        let length = body.len();
        let headers = "Connection: Upgrade\r\nUpgrade: tcp";
        write!(stream, "{line} HTTP/1.1\r\nHost: x\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{body}").unwrap();
        let head = read_head(&mut stream);
        (stream, head)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.home.path().join("skiff.sock")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// One request as it is typed, and the whole answer. The connection is closed by the daemon, as asked.
    pub(crate) fn request(&self, line: &str, headers: &str, body: &str) -> Answer {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        let length = body.len();
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        Answer(text)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path}"), "", "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.request(&format!("POST {path}"), "", body)
    }

    /// Docker's own client, to its end: what it printed on both outputs, and how it ended.
    pub(crate) fn docker(&self, arguments: &[&str]) -> (String, i32) {
        let mut command = Command::new("docker");
        command.arg("-H").arg(format!("unix://{}", self.socket().display())).args(arguments);
        command.env("DOCKER_CONFIG", self.home.path().join("client")).env_remove("DOCKER_HOST").stdin(Stdio::null());
        let output = command.output().expect("docker's client is installed");
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&text).into_owned(), output.status.code().unwrap_or(-1))
    }

    /// The same, when it must succeed.
    #[track_caller]
    pub(crate) fn docker_ok(&self, arguments: &[&str]) -> String {
        let (text, code) = self.docker(arguments);
        assert_eq!(code, 0, "docker {arguments:?}: {text}\n{}", self.log());
        text
    }

    /// Asks the daemon to stop and says how it ended.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        if let Some(status) = self.child.try_wait().unwrap() {
            return status.code();
        }
        Command::new("kill").arg(self.pid().to_string()).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

/// A network namespace of its own: bridges and rules end with it. The shell turns its loopback on and becomes the daemon.
fn spawn(home: &TempDir, flags: &[&str]) -> Child {
    build_runtime();
    let log = std::fs::File::options().create(true).append(true).open(home.path().join("log")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--net", "sh", "-c", "ip link set lo up; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_skiffd")]);
    command.arg("--host").arg(format!("unix://{}", home.path().join("skiff.sock").display()));
    command.arg("--data-root").arg(home.path().join("data")).arg("--exec-root").arg(home.path().join("run"));
    command.arg("--cgroup-parent").arg(home.path().file_name().unwrap());
    command.args(flags).stdin(Stdio::null()).stderr(log).spawn().unwrap()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
        let cgroups = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten().map(|hierarchy| hierarchy.path());
        for hierarchy in cgroups.chain(["/sys/fs/cgroup".into()]) {
            let _ = std::fs::remove_dir(hierarchy.join(self.home.path().file_name().unwrap()));
        }
    }
}

/// The head of an answer, byte by byte, so that nothing of what follows is taken.
pub(crate) fn read_head(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// The monitor's program must be beside the daemon's. Cargo builds only this package's own programs for a test.
fn build_runtime() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let release = env!("CARGO_BIN_EXE_skiffd").contains("/release/");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", "skiff-runtime"]).args(release.then_some("--release"));
        assert!(build.status().unwrap().success(), "cannot build skiff-runtime");
    });
}

/// An answer as it came over the socket.
pub(crate) struct Answer(String);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("no status: {}", self.0))
    }

    pub(crate) fn head(&self) -> String {
        self.0.split("\r\n\r\n").next().unwrap_or_default().to_lowercase()
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.body()).unwrap_or_else(|error| panic!("{error}: {}", self.0))
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}
