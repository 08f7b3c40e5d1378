//! A machine as its files show it. Everything is looked up below a root, so that a recording of another machine (a few files
//! of its `/proc` and `/sys`) is examined by the same code as this one.

use std::path::{Path, PathBuf};

/// Where to look, and as whom.
#[derive(Debug, Clone)]
pub struct Machine {
    root: PathBuf,
    user: u32,
}

impl Machine {
    /// The machine that this program runs on, as its user.
    pub fn this() -> Self {
        Self { root: "/".into(), user: rustix::process::geteuid().as_raw() }
    }

    /// A recording below `root`, seen by the user with this number.
    pub fn recorded(root: impl Into<PathBuf>, user: u32) -> Self {
        Self { root: root.into(), user }
    }

    /// Whether the user is root.
    pub fn is_root(&self) -> bool {
        self.user == 0
    }

    /// A file's text without spaces around it; `None` when there is no such file.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        std::fs::read(self.at(path)).ok().map(|text| String::from_utf8_lossy(&text).trim().to_owned())
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    /// `6.18.44-generic` as (6, 18); (0, 0) when nobody says.
    pub(crate) fn kernel(&self) -> (u32, u32) {
        let release = self.release();
        let mut numbers =
            release.split(|letter: char| !letter.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }

    /// `6.18.44-generic`.
    pub(crate) fn release(&self) -> String {
        self.read("/proc/sys/kernel/osrelease").unwrap_or_default()
    }

    /// Whether the kernel has a file system, built in or as a module that the first mount of it loads.
    pub(crate) fn has_file_system(&self, name: &str) -> bool {
        let known = self.read("/proc/filesystems").unwrap_or_default();
        known.lines().any(|line| line.split_whitespace().last() == Some(name)) || self.has_module(name)
    }

    /// Whether there is a module of this name to load.
    fn has_module(&self, name: &str) -> bool {
        let directory = format!("/lib/modules/{}", self.release());
        let listed = |file: &str| self.read(&format!("{directory}/{file}")).unwrap_or_default();
        let is_it = |line: &str| {
            let file = line.split(':').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
            file.split('.').next() == Some(name)
        };
        listed("modules.dep").lines().any(is_it) || listed("modules.builtin").lines().any(is_it)
    }

    /// The mounts of this process, `proc_pid_mountinfo(5)`: mount point and type of each.
    pub(crate) fn mounts(&self) -> Vec<(String, String)> {
        let table = self.read("/proc/self/mountinfo").unwrap_or_default();
        let mount = |line: &str| {
            let point = line.split(' ').nth(4)?.to_owned();
            let kind = line.split_once(" - ")?.1.split(' ').next()?.to_owned();
            Some((point, kind))
        };
        table.lines().filter_map(mount).collect()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(Path::new(path).strip_prefix("/").unwrap_or(Path::new(path)))
    }
}
