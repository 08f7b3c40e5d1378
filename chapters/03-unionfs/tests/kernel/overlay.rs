//! Overlays of the real kernel. Each test takes a mount namespace of its own, in its own thread.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::archives::{archive, directory, file};
use namespaces::Root;
use nix::sched::CloneFlags;
use rustix::mount::{MountPropagationFlags, mount_change};
use unionfs::{Layers, Overlay, apply_layer, attach, chain_id, changes};

/// `OVERLAYFS_SUPER_MAGIC` of statfs(2).
const OVERLAY: rustix::fs::FsWord = 0x794c_7630;

/// The machine's mounts that have to do with `place`. Others come and go while tests run.
pub(crate) fn host_mounts(place: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let place = place.to_str().unwrap();
    table.lines().filter(|line| line.contains(place)).map(str::to_owned).collect()
}

fn own_namespace() {
    nix::sched::unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_FS).unwrap();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
}

/// Runs `test` on a thread with a mount namespace of its own.
pub(crate) fn in_own_namespace<T: Send>(test: impl FnOnce() -> T + Send) -> T {
    let run = || {
        own_namespace();
        test()
    };
    let ended = std::thread::scope(|scope| scope.spawn(run).join());
    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What the layers show when they are put together on an overlay, where the kernel refuses another one on top.
pub(crate) fn copied(wanted: &Overlay) -> std::collections::BTreeMap<PathBuf, (String, Vec<u8>)> {
    let below = overlay(&wanted.target.with_file_name("below"), Vec::new());
    below.make_directories().unwrap();
    attach(&below.mount().unwrap(), &below.target).unwrap();
    let [upper, work] = ["upper", "work"].map(|name| below.target.join(name));
    let on_overlay = Overlay { upper, work, ..wanted.clone() };
    on_overlay.make_directories().unwrap();
    attach(&on_overlay.mount().unwrap(), &on_overlay.target).unwrap();
    assert!(below.target.join("upper.copied").exists(), "an overlay on an overlay was expected to be refused");
    super::same::tree(&on_overlay.target)
}

pub(crate) fn overlay(place: &Path, lowers: Vec<PathBuf>) -> Overlay {
    Overlay {
        lowers,
        upper: place.join("upper"),
        work: place.join("work"),
        target: place.join("root"),
        volatile: false,
    }
}

/// Unpacks each archive into a directory of its own; returns them top first.
fn layers(place: &Path, archives: &[Vec<Vec<u8>>]) -> Vec<PathBuf> {
    let unpack = |(number, members): (usize, &Vec<Vec<u8>>)| {
        let layer = place.join(format!("layer{number}"));
        fs::create_dir(&layer).unwrap();
        apply_layer(archive(members).as_slice(), &Root::open(&layer).unwrap()).unwrap();
        layer
    };
    let mut layers: Vec<_> = archives.iter().enumerate().map(unpack).collect();
    layers.reverse();
    layers
}

#[test]
fn any_number_of_layers() {
    let place = tempfile::tempdir().unwrap();
    for count in [1, 60, 500] {
        let place = place.path().join(count.to_string());
        let lowers: Vec<_> = (0..count).map(|number| place.join(format!("{}{number}", "long".repeat(30)))).collect();
        for (number, lower) in lowers.iter().enumerate() {
            fs::create_dir_all(lower).unwrap();
            fs::write(lower.join(format!("file{number}")), "").unwrap();
            fs::write(lower.join("same"), number.to_string()).unwrap();
        }
        let overlay = overlay(&place, lowers);
        overlay.make_directories().unwrap();
        // Made before the namespace is, as the launch does it.
        let mount = overlay.mount().unwrap();
        std::thread::spawn(move || {
            own_namespace();
            attach(&mount, &overlay.target).unwrap();
            let kind = rustix::fs::statfs(&overlay.target).unwrap().f_type;
            assert_eq!(kind, OVERLAY, "the kernel refused the overlay, and the layers were copied");
            assert_eq!(fs::read_dir(&overlay.target).unwrap().count(), count + 1);
            assert_eq!(fs::read_to_string(overlay.target.join("same")).unwrap(), "0", "the first lower is the top one");
            fs::write(overlay.target.join("new"), "x").unwrap();
            assert!(overlay.upper.join("new").exists());
            // The main thread is in the machine's mount namespace, and must not see it even now.
            assert_eq!(host_mounts(&overlay.target), [""; 0]);
        })
        .join()
        .unwrap();
    }
}

#[test]
fn an_image_without_layers_is_an_empty_root() {
    let place = tempfile::tempdir().unwrap();
    let mut overlay = overlay(place.path(), Vec::new());
    overlay.volatile = true;
    std::thread::spawn(move || {
        own_namespace();
        // Twice: the mark of a volatile mount must not be in the way of the next.
        for turn in 0..2 {
            overlay.make_directories().unwrap();
            let mount = overlay.mount().unwrap();
            attach(&mount, &overlay.target).unwrap();
            assert_eq!(fs::read_dir(&overlay.target).unwrap().count(), turn);
            assert_eq!(fs::metadata(&overlay.target).unwrap().mode() & 0o7777, 0o755);
            fs::write(overlay.target.join("kept"), "x").unwrap();
            rustix::mount::unmount(&overlay.target, rustix::mount::UnmountFlags::DETACH).unwrap();
        }
    })
    .join()
    .unwrap();
}

#[test]
fn a_missing_layer_is_named() {
    let place = tempfile::tempdir().unwrap();
    let overlay = overlay(place.path(), Vec::new());
    overlay.make_directories().unwrap();
    let missing = Overlay { lowers: vec![place.path().join("no-such-layer")], ..overlay.clone() };
    let failure = missing.mount().unwrap_err().to_string();
    assert!(failure.ends_with("no-such-layer: No such file or directory"), "{failure}");
}

/// The second takes something away from the first; the third is for the container to change.
fn three_layers(place: &Path) -> Vec<PathBuf> {
    layers(
        place,
        &[
            vec![
                directory("etc/"),
                file("etc/passwd", "root"),
                file("etc/motd", "hi"),
                directory("usr/"),
                file("usr/a", ""),
            ],
            vec![
                directory("etc/"),
                file("etc/.wh.motd", ""),
                directory("usr/"),
                file("usr/.wh..wh..opq", ""),
                file("usr/b", ""),
            ],
            vec![
                directory("var/"),
                file("var/x", "1"),
                directory("var/log/"),
                file("var/log/y", "2"),
                directory("srv/"),
            ],
        ],
    )
}

#[test]
fn whiteouts_and_changes() {
    let place = tempfile::tempdir().unwrap();
    let lowers = three_layers(place.path());
    let overlay = overlay(place.path(), lowers);
    overlay.make_directories().unwrap();
    let mount = overlay.mount().unwrap();
    let mounted = overlay.clone();
    std::thread::spawn(move || {
        let root = &mounted.target;
        own_namespace();
        attach(&mount, root).unwrap();
        assert!(root.join("etc/passwd").exists() && !root.join("etc/motd").exists());
        assert!(root.join("usr/b").exists() && !root.join("usr/a").exists());
        fs::write(root.join("etc/passwd"), "changed").unwrap();
        fs::write(root.join("etc/new"), "").unwrap();
        fs::remove_dir_all(root.join("var")).unwrap();
        fs::create_dir(root.join("var")).unwrap();
        fs::write(root.join("var/x"), "again").unwrap();
        fs::remove_dir(root.join("srv")).unwrap();
        fs::create_dir_all(root.join("opt/app")).unwrap();
    })
    .join()
    .unwrap();
    let found = changes(&overlay.upper, &overlay.lowers).unwrap();
    let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    C /etc
    A /etc/new
    C /etc/passwd
    A /opt
    A /opt/app
    D /srv
    C /var
    D /var/log
    C /var/x
    ");
}

#[test]
fn a_layer_is_whole_or_absent() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("layers");
    let layers = Layers::open(&directory).unwrap();
    let [diff, other] = [unionfs::Digest::of(b"diff"), unionfs::Digest::of(b"other")];
    drop(layers.begin().unwrap());
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "a layer that was given up leaves nothing");
    let unfinished = layers.begin().unwrap();
    let stats = apply_layer(archive(&[file("a", "12345")]).as_slice(), &unfinished.root().unwrap()).unwrap();
    assert_eq!(layers.get(&diff), None);
    let layer = unfinished.finish(None, diff, stats).unwrap();
    assert_eq!(layers.get(&diff), Some(layer.clone()));
    assert_eq!(fs::read_to_string(layers.diff(&diff).join("a")).unwrap(), "12345");
    // The same layer a second time: the first one stays.
    assert_eq!(layers.begin().unwrap().finish(None, diff, stats).unwrap(), layer);
    assert!(layers.diff(&diff).join("a").exists());
    let above = layers.begin().unwrap().finish(Some(diff), other, stats).unwrap();
    assert_eq!((above.chain_id, above.parent), (chain_id(Some(diff), other), Some(diff)));
    // A crash in the middle.
    std::mem::forget(layers.begin().unwrap());
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 3);
    let layers = Layers::open(&directory).unwrap();
    assert_eq!((fs::read_dir(&directory).unwrap().count(), layers.list().unwrap().len()), (2, 2));
    layers.remove(&diff).unwrap();
    layers.remove(&diff).unwrap();
    assert_eq!((fs::read_dir(&directory).unwrap().count(), layers.get(&diff)), (1, None));
    assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700, "set-user-id files are in there");
}

/// What chapter 3 is spared: mount(2) takes one page of options, which this many layers do not fit into.
#[test]
fn the_old_call_stops_at_one_page() {
    let place = tempfile::tempdir().unwrap();
    let mut lowers = Vec::new();
    for number in 0..200 {
        let lower = place.path().join(format!("{}{number}", "layer".repeat(8)));
        fs::create_dir(&lower).unwrap();
        lowers.push(lower.display().to_string());
    }
    let target = place.path().join("root");
    fs::create_dir(&target).unwrap();
    let mount = |count: usize| {
        let options = format!("lowerdir={}", lowers[..count].join(":"));
        let length = options.len();
        let target = target.clone();
        let mounted = in_own_namespace(move || {
            let none = rustix::mount::MountFlags::empty();
            let options = std::ffi::CString::new(options).unwrap();
            rustix::mount::mount("overlay", &target, "overlay", none, options.as_c_str())
        });
        (length > 4096, mounted.is_ok())
    };
    assert_eq!(mount(20), (false, true));
    assert_eq!(mount(200), (true, false));
}

#[test]
fn on_an_overlay_the_layers_are_copied_and_changes_are_still_found() {
    let place = tempfile::tempdir().unwrap();
    let lowers = three_layers(place.path());
    let below = overlay(&place.path().join("below"), Vec::new());
    in_own_namespace(|| {
        below.make_directories().unwrap();
        attach(&below.mount().unwrap(), &below.target).unwrap();
        let inner = overlay(&below.target.join("inner"), lowers);
        for turn in 0..2 {
            inner.make_directories().unwrap();
            attach(&inner.mount().unwrap(), &inner.target).unwrap();
            let root = &inner.target;
            assert!(root.join("etc/passwd").exists() && !root.join("etc/motd").exists());
            assert!(root.join("usr/b").exists() && !root.join("usr/a").exists());
            if turn == 0 {
                assert_eq!(changes(&inner.upper, &inner.lowers).unwrap(), []);
                fs::write(root.join("etc/passwd"), "changed").unwrap();
                fs::remove_dir_all(root.join("var")).unwrap();
                fs::write(root.join("new"), "").unwrap();
            }
            // The second start finds the copy with what was done to it, and copies nothing.
            let found: Vec<_> = changes(&inner.upper, &inner.lowers).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(found, ["C /etc/passwd", "A /new", "D /var"]);
            let mut layer = Vec::new();
            unionfs::pack_layer(&inner.upper, &mut layer, &|_| false).unwrap();
            let mut archive = unionfs::Archive::new(layer.as_slice());
            assert_eq!(
                archive.next_member().unwrap().unwrap().name,
                b".wh..wh..opq",
                "nothing of the layers shows through"
            );
            rustix::mount::unmount(root, rustix::mount::UnmountFlags::DETACH).unwrap();
        }
    });
}
