//! What `docker cp` asks of packing and unpacking: a root that somebody else uses and may play tricks with meanwhile
//! (CVE-2018-15664, CVE-2019-10152, CVE-2021-41089).

use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::archives::{archive, directory, file, hard_link, member, symlink as link_member};
use namespaces::Root;
use unionfs::{Extract, Form, Owner, Packer, extract};

fn wanted(directory: &str) -> Extract {
    Extract { directory: directory.into(), owner: Owner::Archive, keep_kinds: true, rename: None }
}

fn unpack(root: &Path, wanted: &Extract, members: &[Vec<u8>]) -> Result<(), String> {
    let root = Root::open(root).unwrap();
    extract(archive(members).as_slice(), &root, wanted).map(drop).map_err(|failure| failure.to_string())
}

#[test]
fn files_are_merged_into_what_is_there() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::create_dir_all(at("srv/www/old")).unwrap();
    fs::set_permissions(at("srv"), fs::Permissions::from_mode(0o711)).unwrap();
    fs::write(at("srv/www/page"), "old").unwrap();
    let members = [
        directory("./"),
        directory("www/"),
        file("www/page", "new"),
        file("www/.wh.old", "a name like any other"),
        file("../climbing", ""),
        hard_link("www/same", "www/page"),
    ];
    unpack(place.path(), &wanted("/srv"), &members).unwrap();
    assert_eq!(fs::read_to_string(at("srv/www/page")).unwrap(), "new");
    assert!(at("srv/www/old").is_dir() && at("srv/www/.wh.old").is_file() && at("srv/climbing").is_file());
    assert_eq!(fs::metadata(at("srv/www/same")).unwrap().nlink(), 2);
    assert_eq!(fs::metadata(at("srv")).unwrap().mode() & 0o7777, 0o711, "the directory itself is left as it is");
    let renamed = Extract { rename: Some("there".into()), owner: Owner::Fixed(7, 8), ..wanted("/") };
    unpack(place.path(), &renamed, &[directory("www/"), file("www/page", "x")]).unwrap();
    let page = fs::metadata(at("there/page")).unwrap();
    assert_eq!((page.uid(), page.gid()), (7, 8));
}

#[test]
fn kinds_are_kept_when_that_is_asked_for() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("directory")).unwrap();
    fs::write(place.path().join("file"), "").unwrap();
    let refused = [
        unpack(place.path(), &wanted("/"), &[file("directory", "")]),
        unpack(place.path(), &wanted("/"), &[directory("file/")]),
        unpack(place.path(), &wanted("/"), &[link_member("directory", "/etc")]),
    ];
    insta::assert_snapshot!(refused.map(Result::unwrap_err).join("\n"), @r#"
    cannot overwrite directory "/directory" with non-directory "directory": they are not of the same kind
    cannot overwrite non-directory "/file" with directory "file": they are not of the same kind
    cannot overwrite directory "/directory" with non-directory "directory": they are not of the same kind
    "#);
    let careless = Extract { keep_kinds: false, ..wanted("/") };
    unpack(place.path(), &careless, &[file("directory", ""), directory("file/")]).unwrap();
    assert!(place.path().join("directory").is_file() && place.path().join("file").is_dir());
}

/// How often the way is swapped; `SKIFF_SOAK=1` makes it many.
fn rounds() -> usize {
    if std::env::var_os("SKIFF_SOAK").is_some() { 10_000 } else { 300 }
}

/// In the container `way` is now a directory, now a link out of it; on the host `outside` has a secret.
fn swapping(test: impl Fn(&Root) + Sync) {
    let place = tempfile::tempdir().unwrap();
    let [root, outside] = ["root", "outside"].map(|name| place.path().join(name));
    fs::create_dir_all(root.join("way")).unwrap();
    fs::write(root.join("way/file"), "inside").unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "SECRET").unwrap();
    symlink(&outside, root.join("other")).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let flags = rustix::fs::RenameFlags::EXCHANGE;
            while !stop.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(
                    rustix::fs::CWD,
                    root.join("way"),
                    rustix::fs::CWD,
                    root.join("other"),
                    flags,
                )
                .unwrap();
            }
        });
        let tested = scope.spawn(|| {
            let root = Root::open(&root).unwrap();
            (0..rounds()).for_each(|_| test(&root));
        });
        let ended = tested.join();
        stop.store(true, Ordering::Relaxed);
        ended.unwrap();
    });
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "SECRET");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "something was made outside");
}

#[test]
fn nothing_of_the_host_is_packed_while_a_directory_is_swapped_for_a_link() {
    swapping(|root| {
        let mut packer = Packer::new(Vec::new(), Form::Whole);
        packer.add(root.as_fd(), OsStr::new("."), b"root").ok();
        if let Ok((parent, name)) = root.parent(Path::new("/way/file")) {
            packer.add(parent.as_fd(), &name, b"file").ok();
        }
        let bytes = packer.finish().unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"SECRET"), "the host's file was packed");
    });
}

#[test]
fn nothing_is_unpacked_outside_while_a_directory_is_swapped_for_a_link() {
    let careless = Extract { keep_kinds: false, ..wanted("/") };
    swapping(|root| {
        let members =
            [file("way/file", "theirs"), file("way/new", "theirs"), member(b'5', b"way/made/", b"", 0o777, b"")];
        // It may fail: the place changes its kind under it.
        let _ = extract(archive(&members).as_slice(), root, &careless);
        let _ = extract(archive(&members[..2]).as_slice(), root, &wanted("/way/.."));
    });
}
