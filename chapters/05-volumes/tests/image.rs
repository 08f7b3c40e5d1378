//! An image's files as a mount: an overlay of its layers or the one layer, whole or in part, and never writable.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::path::{Path, PathBuf};

use namespaces::Root;
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_change};
use volumes::{Attachment, ImageFiles, attach_image};

/// Two layers and an empty root. `top` hides `/hidden` of the layer below and has a link out of the image.
fn layers() -> (tempfile::TempDir, PathBuf, Vec<PathBuf>) {
    let directory = tempfile::tempdir().unwrap();
    let [top, base, root] = ["top", "base", "root"].map(|name| directory.path().join(name));
    for each in [top.join("share"), base.join("share/inner"), root.clone()] {
        fs::create_dir_all(each).unwrap();
    }
    fs::write(base.join("share/inner/file"), "of the base").unwrap();
    fs::write(base.join("hidden"), "old").unwrap();
    fs::write(top.join("share/file"), "of the top").unwrap();
    std::os::unix::fs::symlink("/etc", top.join("out")).unwrap();
    nix::sys::stat::mknod(&top.join("hidden"), nix::sys::stat::SFlag::S_IFCHR, nix::sys::stat::Mode::empty(), 0)
        .unwrap();
    (directory, root, vec![top, base])
}

fn image(lowers: &[PathBuf], subpath: Option<&str>) -> Attachment {
    let wanted = ImageFiles { image: "site".into(), subpath: subpath.map(Into::into) };
    attach_image(Path::new("/mnt"), &wanted, unionfs::Digest::of(b"site"), lowers.to_vec())
}

/// Runs `test` on a thread with a mount namespace of its own.
fn apart(test: impl FnOnce() + Send + 'static) {
    let run = || {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
        mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
        test();
    };
    std::thread::spawn(run).join().unwrap();
}

/// Lines of this thread's mount table about places in `root`.
fn mounts(root: &Path) -> usize {
    let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    table.lines().filter(|line| line.contains(root.to_str().unwrap())).count()
}

#[test]
fn the_layers_are_seen_as_one_and_not_written() {
    apart(|| {
        let (_directory, root, lowers) = layers();
        image(&lowers, None).apply(&Root::open(&root).unwrap()).unwrap();
        let place = root.join("mnt");
        assert_eq!(fs::read_to_string(place.join("share/inner/file")).unwrap(), "of the base");
        assert_eq!(fs::read_to_string(place.join("share/file")).unwrap(), "of the top");
        assert!(!place.join("hidden").exists(), "the whiteout of the top layer counts");
        let refused = fs::write(place.join("new"), "x").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    });
}

#[test]
fn one_layer_needs_no_overlay() {
    apart(|| {
        let (_directory, root, lowers) = layers();
        image(&lowers[1..], None).apply(&Root::open(&root).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(root.join("mnt/hidden")).unwrap(), "old");
        let refused = fs::write(root.join("mnt/new"), "x").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    });
}

#[test]
fn a_part_is_a_directory_or_a_file_and_the_rest_is_not_there() {
    apart(|| {
        for lowers in [2, 1] {
            let (_directory, root, all) = layers();
            let lowers = &all[2 - lowers..];
            let inside = Root::open(&root).unwrap();
            image(lowers, Some("share/inner")).apply(&inside).unwrap();
            assert_eq!(fs::read_to_string(root.join("mnt/file")).unwrap(), "of the base");
            assert!(fs::write(root.join("mnt/new"), "x").is_err());
            assert_eq!(mounts(&root), 1, "the whole image stayed mounted somewhere");
        }
        let (_directory, root, lowers) = layers();
        image(&lowers, Some("share/file")).apply(&Root::open(&root).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(root.join("mnt")).unwrap(), "of the top");
    });
}

#[test]
fn a_part_cannot_lead_out_of_the_image() {
    apart(|| {
        let (_directory, root, lowers) = layers();
        let inside = Root::open(&root).unwrap();
        let failures =
            ["out", "missing"].map(|part| image(&lowers, Some(part)).apply(&inside).unwrap_err().to_string());
        insta::assert_snapshot!(failures.join("\n"), @r#"
        cannot find the subpath of the image site/out: No such file or directory
        cannot find the subpath of the image site/missing: No such file or directory
        "#);
        assert_eq!(mounts(&root), 0, "a failure left a mount");
    });
}
