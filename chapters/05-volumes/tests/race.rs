//! A mount point that is swapped for a link while something is mounted on it (CVE-2021-30465): two containers share a volume,
//! and one of them plays tricks while the other one starts.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use namespaces::Root;
use nix::sched::CloneFlags;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use volumes::{Attachment, Store, attach, parse_volume};

/// Mounts made in this test; `SKIFF_SOAK=1` makes it ten thousand.
fn rounds() -> usize {
    if std::env::var_os("SKIFF_SOAK").is_some() { 10_000 } else { 500 }
}

/// Mount points of this thread's namespace that have `place` in them.
fn mount_points(place: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(str::to_owned);
    points.filter(|point| point.starts_with(place.to_str().unwrap())).collect()
}

/// Puts a directory, a link that leads out, and a link that climbs out at `target`, in turn, until told to stop.
fn swap(target: &Path, outside: &Path, stop: &AtomicBool) {
    let beside = target.with_file_name("beside");
    let kinds: [&dyn Fn(); 3] = [&|| fs::create_dir(&beside).unwrap(), &|| symlink(outside, &beside).unwrap(), &|| {
        symlink("../../../../../outside", &beside).unwrap();
    }];
    for make in kinds.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        make();
        // Where something is mounted in another namespace, the name can still be taken away here.
        let _ = fs::remove_dir_all(target);
        let _ = fs::remove_file(target);
        let _ = fs::rename(&beside, target);
        let _ = fs::remove_dir_all(&beside);
        let _ = fs::remove_file(&beside);
    }
}

#[test]
fn a_mount_point_swapped_for_a_link_leads_nowhere_outside() {
    let place = tempfile::tempdir().unwrap();
    let [root, outside] = ["a/b/root", "outside"].map(|name| place.path().join(name));
    for directory in [&root.join("shared"), &outside] {
        fs::create_dir_all(directory).unwrap();
    }
    let store = Store::open(place.path().join("store")).unwrap();
    let attachment: Attachment = attach(&parse_volume("data:/shared/target").unwrap(), &store).unwrap();
    fs::write(place.path().join("store/data/_data/mark"), "").unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| swap(&root.join("shared/target"), &outside, &stop));
        let mounting = scope.spawn(|| {
            nix::sched::unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
            let mut mounted = 0;
            for _ in 0..rounds() {
                // It may fail: the place is gone at that moment. What it must not do is succeed elsewhere.
                let held = Root::open(&root).unwrap();
                mounted += usize::from(attachment.apply(&held).is_ok());
                for point in mount_points(place.path()) {
                    assert!(Path::new(&point).starts_with(&root), "mounted outside: {point}");
                    let _ = unmount(&*point, UnmountFlags::DETACH);
                }
            }
            mounted
        });
        let mounted = mounting.join();
        stop.store(true, Ordering::Relaxed);
        assert!(mounted.unwrap() > 0, "nothing was ever mounted");
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "nothing was made outside");
}
