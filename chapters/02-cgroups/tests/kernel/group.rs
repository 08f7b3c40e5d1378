//! A group of a test's own.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cgroups::{Cgroup, Controller, Hierarchies, Limits, Plan, Version};

/// A group that is killed and removed at the end of its test, however the test ends.
pub(crate) struct Group {
    pub(crate) hierarchies: Hierarchies,
    pub(crate) path: PathBuf,
    pub(crate) cgroup: Cgroup,
}

impl Group {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::on(Hierarchies::discover().unwrap(), limits)
    }

    pub(crate) fn on(hierarchies: Hierarchies, limits: Limits) -> Self {
        let path = unique();
        let cgroup = Cgroup::create(&hierarchies, &Plan { path: path.clone(), limits }).unwrap();
        Self { hierarchies, path, cgroup }
    }

    /// A shell that joins the group and then runs `script`.
    pub(crate) fn shell(&self, script: &str) -> Child {
        let file = if self.hierarchies.version == Version::V1 { "tasks" } else { "cgroup.procs" };
        let joined = self.directories().filter(|directory| directory.exists());
        let joins: Vec<_> = joined.map(|dir| format!("echo 0 > {}", dir.join(file).display())).collect();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("set -e\n{}\nset +e\n{script}", joins.join("\n"))]).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub(crate) fn directories(&self) -> impl Iterator<Item = PathBuf> {
        self.hierarchies.mounts.iter().map(|hierarchy| hierarchy.mount_point.join(&self.path))
    }

    pub(crate) fn says(&self, controller: Controller, file: &str) -> String {
        self.cgroup.read(controller, file).unwrap().unwrap().trim().to_owned()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.cgroup.thaw();
        let _ = self.cgroup.kill();
        let removed = Cgroup::remove(&self.hierarchies, &self.path);
        assert!(std::thread::panicking() || removed.is_ok(), "{removed:?}");
    }
}

pub(crate) fn unique() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("skiff-test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)).into()
}

/// Which version this machine has; on a hybrid one it is 1.
pub(crate) fn version() -> Version {
    Hierarchies::discover().unwrap().version
}

pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds() {
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many rounds a race gets: few by default, `SKIFF_SOAK=1` for many.
pub(crate) fn rounds(few: u32, many: u32) -> u32 {
    if std::env::var_os("SKIFF_SOAK").is_some() { many } else { few }
}

/// The version 2 tree, which a hybrid machine has beside the others and most machines have alone. `None` where there is none.
pub(crate) fn version_2_tree() -> Option<Hierarchies> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let unified = table.lines().find(|line| line.contains(" - cgroup2 "))?;
    Some(Hierarchies::parse(unified.as_bytes()).unwrap())
}
