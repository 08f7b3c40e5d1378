//! A throw-away root file system of one static busybox, and what is left when it is gone.

#![allow(dead_code, reason = "not every test file uses all of it")]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory with a root file system in it.
pub(crate) struct Rootfs {
    pub(crate) directory: TempDir,
}

impl Rootfs {
    /// `bin/busybox` and its applets, `etc/passwd`, `tmp`.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("skiff-runtime-test-").tempdir().unwrap();
        let root = directory.path().join("rootfs");
        for name in ["bin", "etc", "tmp", "proc", "dev", "sys", "root"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).expect("install busybox-static");
        for applet in APPLETS.split_whitespace() {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/:/bin/sh\n").unwrap();
        std::fs::write(root.join("etc/group"), "root:x:0:\nweb:x:33:\n").unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("rootfs")
    }

    pub(crate) fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// The program under test: `SKIFF_RUNTIME` names another build of it, such as the static release.
pub(crate) fn runtime() -> PathBuf {
    std::env::var_os("SKIFF_RUNTIME").map_or_else(|| env!("CARGO_BIN_EXE_skiff-runtime").into(), PathBuf::from)
}

const APPLETS: &str = "sh true false cat echo sleep stty id ps kill head yes tail touch ls env hostname mount dd wc printf \
                       readlink pwd ulimit ip test grep tr sync awk chmod cut date dnsdomainname find ionice mkdir mkfifo \
                       mknod nproc od rm rmdir sed sort stat taskset umount uname uniq";

/// Lines of the mount table and directories of cgroup trees that mention `mark`.
pub(crate) fn residue(mark: &str) -> Vec<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut found: Vec<String> = mounts.lines().filter(|line| line.contains(mark)).map(str::to_owned).collect();
    for tree in std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        let group = tree.path().join(mark.trim_start_matches('/'));
        if group.exists() {
            found.push(group.display().to_string());
        }
    }
    found
}
