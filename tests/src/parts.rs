//! The binaries under test, the fixtures, the real parts beside them.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A release binary: `skiff`, `skiffd` or `skiff-runtime`. `cargo xtask test` builds them and says where.
pub fn binary(name: &str) -> PathBuf {
    let directory = std::env::var_os("SKIFF_BIN").map_or_else(default_binaries, PathBuf::from);
    let path = directory.join(name);
    assert!(
        path.exists(),
        "{} does not exist; run `cargo xtask build`, or the tests by `cargo xtask test`",
        path.display()
    );
    path
}

fn default_binaries() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")), PathBuf::from);
    target.join("x86_64-unknown-linux-gnu/release")
}

/// The root file system of busybox as a tar.
pub fn busybox_tar() -> PathBuf {
    fixture("busybox.tar")
}

/// A minimal Debian as a tar.
pub fn debian_tar() -> PathBuf {
    fixture("debian.tar")
}

fn fixture(name: &str) -> PathBuf {
    let directory =
        std::env::var_os("SKIFF_FIXTURES").map_or_else(|| PathBuf::from("/var/cache/skiff-tests"), PathBuf::from);
    let path = directory.join(name);
    assert!(path.exists(), "{} does not exist; run `cargo xtask fixtures`", path.display());
    path
}

/// Debian's docker-registry on a loopback port of a network namespace, ended on drop.
#[derive(Debug)]
pub struct Registry {
    child: Child,
    _directory: tempfile::TempDir,
    /// `127.0.0.1:PORT`.
    pub address: String,
}

impl Registry {
    /// Starts it in the network namespace of the process `pid`.
    pub fn start(pid: u32) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        Self::at(pid, &format!("127.0.0.1:{port}"))
    }

    /// The same at an address that is known to be free there.
    pub fn at(pid: u32, address: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let address = address.to_owned();
        let config = directory.path().join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\nhttp: {{addr: {address}}}\n",
            directory.path().join("data").display()
        );
        std::fs::write(&config, text).expect("the registry's configuration");
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &pid.to_string(), "docker-registry", "serve"]).arg(&config);
        let child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("docker-registry (Debian package)");
        let registry = Self { child, _directory: directory, address };
        registry.wait(pid);
        registry
    }

    fn wait(&self, pid: u32) {
        let end = Instant::now() + Duration::from_mins(1);
        let url = format!("http://{}/v2/", self.address);
        while Instant::now() < end {
            let mut probe = Command::new("nsenter");
            probe.args(["--net", "--target", &pid.to_string(), "curl", "-sf", &url]);
            if probe.stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the registry does not answer on {url}");
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
