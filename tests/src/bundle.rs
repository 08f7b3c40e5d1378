//! An OCI bundle of busybox for `skiff-runtime`: a root file system that a test may make hostile before it runs.

#![allow(clippy::indexing_slicing, reason = "a config.json is indexed by its own names")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::parts::{binary, busybox_tar};
use crate::run::{Ran, run};

/// A bundle in a directory of its own, with its own records. Dropping it deletes its container.
#[derive(Debug)]
pub struct Bundle {
    directory: tempfile::TempDir,
    id: String,
    /// What becomes `config.json`: that of `skiff-runtime spec`, without a terminal.
    pub config: Value,
}

impl Bundle {
    /// Busybox, and `script` for its shell.
    pub fn new(script: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("skiff-bundle-").tempdir().expect("a temporary directory");
        let rootfs = directory.path().join("rootfs");
        std::fs::create_dir(&rootfs).expect("a new directory");
        let mut tar = Command::new("tar");
        tar.arg("-xf").arg(busybox_tar()).arg("-C").arg(&rootfs);
        assert!(tar.status().is_ok_and(|status| status.success()), "cannot unpack busybox");
        let mut spec = Command::new(binary("skiff-runtime"));
        spec.args(["spec", "--bundle"]).arg(directory.path());
        run(&mut spec, b"").ok();
        let text = std::fs::read(directory.path().join("config.json")).expect("a config.json");
        let mut config: Value = serde_json::from_slice(&text).expect("JSON");
        config["process"]["terminal"] = false.into();
        config["process"]["args"] = json!(["sh", "-c", script]);
        let id = directory.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { directory, id, config }
    }

    /// A path in the root file system, or beside it (`../x`).
    pub fn rootfs(&self, path: &str) -> PathBuf {
        self.directory.path().join("rootfs").join(path.trim_start_matches('/'))
    }

    /// The directory that has everything.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Adds a mount.
    #[must_use]
    pub fn mount(mut self, mount: Value) -> Self {
        self.config["mounts"].as_array_mut().expect("a list of mounts").push(mount);
        self
    }

    /// Runs the container to its end.
    pub fn run(&self) -> Ran {
        self.write();
        run(self.runtime().arg("run").arg("--bundle").arg(self.directory.path()).arg(&self.id), b"")
    }

    /// Starts the container and leaves it running, its output thrown away.
    pub fn start(&self) {
        self.write();
        let mut command = self.runtime();
        command.args(["run", "--detach", "--bundle"]).arg(self.directory.path()).arg(&self.id);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()), "the container does not start");
    }

    /// Runs a second program in the started container; `options` stand before its id.
    pub fn exec(&self, options: &[&str], program: &[&str]) -> Ran {
        run(self.runtime().arg("exec").args(options).arg(&self.id).args(program), b"")
    }

    /// The process id of the started container, as the host numbers it.
    pub fn pid(&self) -> i64 {
        let state = run(self.runtime().arg("state").arg(&self.id), b"");
        let state: Value = serde_json::from_str(state.ok()).expect("JSON");
        state["pid"].as_i64().expect("a process id")
    }

    /// `skiff-runtime` with the bundle's own records.
    pub fn runtime(&self) -> Command {
        let mut command = Command::new(binary("skiff-runtime"));
        command.arg("--root").arg(self.directory.path().join("records"));
        command
    }

    fn write(&self) {
        std::fs::write(self.directory.path().join("config.json"), self.config.to_string()).expect("a config.json");
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let mut delete = self.runtime();
        let _there_is_none = delete.args(["delete", "--force"]).arg(&self.id).stderr(Stdio::null()).status();
    }
}
