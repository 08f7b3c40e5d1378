//! What is on the machine before and after: mounts, cgroups, links, processes in our cgroups.
//!
//! A container engine that forgets something does not fail; it fills the machine. So every end-to-end test compares the
//! whole machine with what it was. The daemon's network namespace ends with the daemon, and its rules with it; tests of
//! rules compare them while it runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A picture of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Residue {
    things: BTreeSet<String>,
}

impl Residue {
    /// The machine now.
    pub fn of_machine() -> Self {
        let mut things = BTreeSet::new();
        things.extend(mounts());
        things.extend(cgroups());
        things.extend(links());
        things.extend(processes());
        Self { things }
    }

    /// What is there now and was not there in this picture. What the kernel takes away a little later (a veth, a dying
    /// cgroup) has `patience` to go.
    pub fn settle(&self, patience: Duration) -> Vec<String> {
        let end = Instant::now() + patience;
        loop {
            let now = Self::of_machine();
            let left: Vec<String> = now.things.difference(&self.things).cloned().collect();
            if left.is_empty() || Instant::now() > end {
                return left;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Mount points of our own mount namespace: a container's mounts must never show here.
fn mounts() -> Vec<String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().filter_map(|line| line.split(' ').nth(4)).map(|point| format!("mount {point}")).collect()
}

/// Directories of all hierarchies that belong to an engine or a test of this project.
fn cgroups() -> Vec<String> {
    let mut found = Vec::new();
    below(Path::new("/sys/fs/cgroup"), 5, &mut found);
    let ours = |path: &PathBuf| path.to_string_lossy().contains("skiff/");
    found.into_iter().filter(ours).map(|path| format!("cgroup {}", path.display())).collect()
}

fn below(directory: &Path, depth: u8, found: &mut Vec<PathBuf>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
            below(&entry.path(), depth, found);
        }
    }
}

fn links() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    entries.map(|entry| format!("link {}", entry.file_name().to_string_lossy())).collect()
}

/// Processes that are in a cgroup of ours, and monitors.
fn processes() -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path();
        let contained = std::fs::read_to_string(path.join("cgroup")).is_ok_and(|text| text.contains("/skiff/"));
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        if contained || name.starts_with("skiff-") {
            found.push(format!("process {} {}", entry.file_name().to_string_lossy(), name.trim()));
        }
    }
    found
}
