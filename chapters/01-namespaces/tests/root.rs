//! `Root`: whatever a tree holds, no path leads out of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use namespaces::Root;
use proptest::prelude::*;
use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, FdFlags};
use tempfile::TempDir;

/// A tree, and beside it what must stay out of reach.
struct Place {
    all: TempDir,
}

impl Place {
    fn new() -> Self {
        let all = tempfile::tempdir().unwrap();
        fs::create_dir_all(all.path().join("tree/etc")).unwrap();
        fs::create_dir(all.path().join("outside")).unwrap();
        fs::write(all.path().join("outside/secret"), "secret").unwrap();
        fs::write(all.path().join("tree/etc/name"), "inside").unwrap();
        Self { all }
    }

    fn tree(&self) -> PathBuf {
        self.all.path().join("tree")
    }

    fn root(&self) -> Root {
        Root::open(&self.tree()).unwrap()
    }

    fn outside_is_untouched(&self) -> bool {
        fs::read_dir(self.all.path().join("outside")).unwrap().count() == 1
    }
}

const MODE: Mode = Mode::from_raw_mode(0o755);

fn read(root: &Root, path: &str) -> Option<String> {
    root.read(Path::new(path), 100).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn absolute_and_relative_both_begin_at_the_root() {
    let place = Place::new();
    for path in ["/etc/name", "etc/name", "../../etc/name", "/../etc/./name", "//etc//name"] {
        assert_eq!(read(&place.root(), path).as_deref(), Some("inside"), "{path}");
    }
}

#[test]
fn links_are_followed_inside() {
    let place = Place::new();
    let outside = place.all.path().join("outside");
    symlink("/etc/name", place.tree().join("absolute")).unwrap();
    symlink("../../../../etc", place.tree().join("up")).unwrap();
    symlink(&outside, place.tree().join("out")).unwrap();
    let root = place.root();
    assert_eq!(read(&root, "absolute").as_deref(), Some("inside"));
    assert_eq!(read(&root, "up/name").as_deref(), Some("inside"));
    assert_eq!(read(&root, "out/secret"), None);
    assert_eq!(read(&root, "../outside/secret"), None);
    let failure = root.resolve_exactly(Path::new("/absolute")).unwrap_err();
    assert!(failure.is(Errno::LOOP));
    // openat2(2) says EINVAL to a mode where nothing is made.
    let opened = root.open_at(Path::new("etc/name"), OFlags::RDONLY, Mode::RUSR).unwrap();
    let flags = rustix::io::fcntl_getfd(&opened).unwrap();
    assert!(flags.contains(FdFlags::CLOEXEC), "a descriptor stays open across execve");
}

#[test]
fn magic_links_are_refused() {
    // A link that leads where no path does: to an open file.
    let root = Root::open(Path::new("/")).unwrap();
    let failure = root.resolve(Path::new("/proc/self/fd/0")).unwrap_err();
    assert!(failure.is(Errno::LOOP), "{failure}");
    let failure = root.resolve(Path::new("/proc/self/root/etc")).unwrap_err();
    assert!(failure.is(Errno::LOOP), "{failure}");
}

#[test]
fn directories_are_made_behind_links_inside() {
    let place = Place::new();
    symlink("/var/deep", place.tree().join("dangling")).unwrap();
    symlink(place.all.path().join("outside"), place.tree().join("out")).unwrap();
    let root = place.root();
    root.create_dir_all(Path::new("/dangling/a/b"), MODE).unwrap();
    root.create_dir_all(Path::new("/out/a"), MODE).unwrap();
    root.create_dir_all(Path::new("/x/../y/./z/"), MODE).unwrap();
    assert!(place.tree().join("var/deep/a/b").is_dir());
    assert!(place.tree().join("y/z").is_dir() && place.tree().join("x").is_dir());
    assert!(place.outside_is_untouched());
    let failure = root.create_dir_all(Path::new("/etc/name/below"), MODE).unwrap_err();
    assert_eq!(failure.to_string(), "cannot open the directory /etc/name/below: Not a directory");
}

#[test]
fn links_in_a_circle_end() {
    let place = Place::new();
    symlink("b", place.tree().join("a")).unwrap();
    symlink("a", place.tree().join("b")).unwrap();
    symlink("self/missing", place.tree().join("self")).unwrap();
    for path in ["a", "a/x", "self", "self/x"] {
        assert!(place.root().create_dir_all(Path::new(path), MODE).unwrap_err().is(Errno::LOOP), "{path}");
    }
}

#[test]
fn files_are_made_once() {
    let place = Place::new();
    let root = place.root();
    root.create_file(Path::new("/new/file"), Mode::from_raw_mode(0o644)).unwrap();
    assert_eq!(fs::read(place.tree().join("new/file")).unwrap(), b"");
    root.create_file(Path::new("/etc/name"), Mode::from_raw_mode(0o644)).unwrap();
    assert_eq!(read(&root, "etc/name").as_deref(), Some("inside"));
    symlink(place.all.path().join("outside/new"), place.tree().join("out")).unwrap();
    root.create_file(Path::new("out"), Mode::from_raw_mode(0o644)).unwrap_err();
    assert!(place.outside_is_untouched());
}

#[test]
fn the_parent_holds_the_name_itself() {
    let place = Place::new();
    symlink("/etc/name", place.tree().join("etc/link")).unwrap();
    let root = place.root();
    let (directory, name) = root.parent(Path::new("/etc/link")).unwrap();
    assert_eq!(rustix::fs::readlinkat(&directory, &name, Vec::new()).unwrap().as_bytes(), b"/etc/name");
    for (path, expected) in [("/", "."), ("", "."), ("etc/..", "."), ("/name", "name"), ("etc/", "etc")] {
        assert_eq!(root.parent(Path::new(path)).unwrap().1, expected, "{path}");
    }
}

#[test]
fn only_regular_files_of_a_sane_size_are_read() {
    let place = Place::new();
    let fifo = place.tree().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, MODE, 0).unwrap();
    let root = place.root();
    for path in ["fifo", "etc"] {
        let failure = root.read(Path::new(path), 100).unwrap_err();
        assert_eq!(failure.to_string(), format!("cannot read {path}: it is not a regular file"));
    }
    assert_eq!(root.read(Path::new("etc/name"), 6).unwrap().unwrap().len(), 6);
    let failure = root.read(Path::new("etc/name"), 5).unwrap_err();
    assert_eq!(failure.to_string(), "cannot read etc/name: it has more than 5 bytes");
    assert_eq!(root.read(Path::new("etc/name/x"), 5).unwrap(), None);
}

/// Someone exchanges a directory for a link out of the tree, as fast as he can (CVE-2021-30465, CVE-2024-45310).
#[test]
fn a_race_is_not_won() {
    let place = Place::new();
    let (tree, outside) = (place.tree(), place.all.path().join("outside"));
    fs::create_dir(tree.join("real")).unwrap();
    symlink(&outside, tree.join("link")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let exchange = rustix::fs::RenameFlags::EXCHANGE;
            while !done.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    tree.join("real"),
                    rustix::fs::CWD,
                    tree.join("link"),
                    exchange,
                )
                .unwrap();
            }
        });
        let root = place.root();
        for attempt in 0..2_000 {
            // It may fail, but it may not lead out.
            let _ = root.create_dir_all(&Path::new("real").join(format!("d{attempt}")), MODE);
            let _ = root.open_at(Path::new("real/f"), OFlags::CREATE | OFlags::WRONLY, MODE);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(place.outside_is_untouched());
}

fn component() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(".."), Just("."), Just(""), Just("a"), Just("b"), Just("link"), Just("up"), Just("out")]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_path_leads_out(parts in proptest::collection::vec(component(), 1..9), absolute: bool) {
        let place = Place::new();
        symlink("a/b", place.tree().join("link")).unwrap();
        symlink("../../..", place.tree().join("up")).unwrap();
        symlink(place.all.path().join("outside"), place.tree().join("out")).unwrap();
        let path = PathBuf::from(format!("{}{}", if absolute { "/" } else { "" }, parts.join("/")));
        let root = place.root();
        let _ = root.create_file(&path.join("file"), MODE);
        if let Ok(made) = root.create_dir_all(&path, MODE) {
            // Where the descriptor is, by the kernel's own account.
            use std::os::fd::AsRawFd;
            let at = fs::read_link(format!("/proc/self/fd/{}", made.as_raw_fd())).unwrap();
            prop_assert!(at.starts_with(place.tree()), "{} is at {}", path.display(), at.display());
            prop_assert!(root.resolve(&path).is_ok());
        }
        prop_assert!(place.outside_is_untouched());
        prop_assert_eq!(fs::read_dir(place.all.path()).unwrap().count(), 2);
    }
}
