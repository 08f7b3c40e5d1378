//! What is on the machine before and after: mounts, cgroups, links, processes.
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
    /// The cgroup parent of the daemon under test: other engines on the machine go about their own business.
    cgroup_parent: String,
    things: BTreeSet<String>,
}

impl Residue {
    /// The machine now, and what belongs to the daemon whose containers' cgroups are below `cgroup_parent`.
    pub fn of_machine(cgroup_parent: &str) -> Self {
        let mut things = BTreeSet::new();
        things.extend(mounts());
        things.extend(cgroups(cgroup_parent));
        things.extend(links());
        things.extend(processes(cgroup_parent));
        Self { cgroup_parent: cgroup_parent.to_owned(), things }
    }

    /// What is there now and was not there in this picture. What the kernel takes away a little later (a veth, a dying
    /// cgroup) has `patience` to go.
    pub fn settle(&self, patience: Duration) -> Vec<String> {
        let end = Instant::now() + patience;
        loop {
            let now = Self::of_machine(&self.cgroup_parent);
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

/// Directories of all hierarchies that belong to the daemon under test.
fn cgroups(parent: &str) -> Vec<String> {
    let mut found = Vec::new();
    below(Path::new("/sys/fs/cgroup"), 5, &mut found);
    let ours = |path: &PathBuf| path.to_string_lossy().contains(parent);
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

/// Processes in the daemon's cgroups, and monitors of its containers.
fn processes(parent: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = entry.path();
        let contained = std::fs::read_to_string(path.join("cgroup")).is_ok_and(|text| text.contains(parent));
        // A monitor listens on a socket below the daemon's directory, which has the name of the cgroup parent.
        let command = std::fs::read_to_string(path.join("cmdline")).unwrap_or_default();
        if contained || command.contains(parent) {
            found.push(format!("process {} {}", entry.file_name().to_string_lossy(), command.replace('\0', " ")));
        }
    }
    found
}
