//! A bundle with its own records, and the runtime's command line on it.

#![allow(dead_code, reason = "not every test file uses all of it")]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rootfs::{self, Rootfs, residue};

/// A bundle and a directory of records of its own.
pub(crate) struct Bundle {
    pub(crate) rootfs: Rootfs,
    pub(crate) id: String,
}

impl Bundle {
    /// A bundle whose program is `args`, with `patch` merged over the config of `spec`.
    pub(crate) fn new(id: &str, args: &[&str], patch: Value) -> Self {
        let bundle = Self { rootfs: Rootfs::new(), id: format!("skiff-runtime-{id}") };
        bundle.ok(&["spec", "--bundle", bundle.path()]);
        let mut config: Value = serde_json::from_slice(&std::fs::read(bundle.config()).unwrap()).unwrap();
        config["process"]["terminal"] = false.into();
        config["process"]["args"] = json!(args);
        // `spec` gives this one where cgroups are of version 2; the tests mean the same everywhere.
        let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
        namespaces.retain(|one| one["type"] != "cgroup");
        namespaces.push(json!({ "type": "cgroup" }));
        merge(&mut config, patch);
        std::fs::write(bundle.config(), config.to_string()).unwrap();
        bundle
    }

    pub(crate) fn shell(id: &str, script: &str) -> Self {
        Self::new(id, &["sh", "-c", script], json!({}))
    }

    pub(crate) fn path(&self) -> &str {
        self.rootfs.directory.path().to_str().unwrap()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.rootfs.join("config.json")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(rootfs::runtime());
        command.arg("--root").arg(self.rootfs.join("records")).stdin(Stdio::null());
        command
    }

    /// `args`, with `ID` for its id.
    pub(crate) fn invoke(&self, args: &[&str]) -> Output {
        let args = args.iter().map(|arg| if *arg == "ID" { self.id.as_str() } else { arg });
        self.command().args(args).output().unwrap()
    }

    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.invoke(args);
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{args:?}: {out}{err}");
        out
    }

    /// What a command that must fail says.
    pub(crate) fn refused(&self, args: &[&str]) -> String {
        let output = self.invoke(args);
        assert!(!output.status.success(), "{args:?} went through");
        String::from_utf8(output.stderr).unwrap().replace(self.path(), "[bundle]").replace(&self.id, "ID")
    }

    pub(crate) fn run(&self) -> (Option<i32>, String, String) {
        let output = self.invoke(&["run", "--bundle", self.path(), "ID"]);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// Output goes to a file: a pipe would be held open by the container that waits.
    pub(crate) fn create(&self, more: &[&str]) -> Output {
        let file = std::fs::File::create(self.rootfs.join("output")).unwrap();
        let mut command = self.command();
        command.args(["create", "--bundle", self.path()]).args(more).arg(&self.id);
        let status = command.stdout(file.try_clone().unwrap()).stderr(file).status().unwrap();
        let stderr = std::fs::read(self.rootfs.join("output")).unwrap();
        Output { status, stdout: Vec::new(), stderr }
    }

    pub(crate) fn created(id: &str, script: &str) -> Self {
        let bundle = Self::shell(id, script);
        let output = bundle.create(&[]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        bundle
    }

    pub(crate) fn state(&self) -> Value {
        serde_json::from_str(&self.ok(&["state", "ID"])).unwrap()
    }

    pub(crate) fn until(&self, status: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.state()["status"] != status {
            assert!(Instant::now() < deadline, "{}", self.state());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn until_it_says(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.output() != words {
            assert!(Instant::now() < deadline, "{}", self.output());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(self.rootfs.join("output")).unwrap()
    }

    pub(crate) fn left(&self) -> Vec<String> {
        let mut left = residue(self.path());
        left.extend(residue(&format!("skiff-runtime/{}", self.id)));
        left.extend(self.rootfs.join("records").join(&self.id).exists().then(|| "record".into()));
        left
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.invoke(&["delete", "--force", "ID"]);
    }
}

fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch,
    }
}

/// Merges `patch` over the bundle's config.
pub(crate) fn patch(bundle: &Bundle, patch: Value) {
    let mut config: Value = serde_json::from_slice(&std::fs::read(bundle.config()).unwrap()).unwrap();
    merge(&mut config, patch);
    std::fs::write(bundle.config(), config.to_string()).unwrap();
}
