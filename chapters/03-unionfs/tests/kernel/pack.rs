//! Packing: the way back from a directory to an archive, and back again, with everything that a file can have.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

use namespaces::Root;
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, lsetxattr, makedev, mknodat, utimensat};
use unionfs::{Archive, MemberKind, apply_layer, pack_layer, usage};

/// An upper directory with a bit of everything.
fn everything(at: &Path) {
    let path = |name: &str| at.join(name);
    let node = |name: &str, kind, device| mknodat(CWD, path(name), kind, Mode::from_raw_mode(0o640), device).unwrap();
    fs::create_dir_all(path("bin/deep")).unwrap();
    fs::write(path("bin/tool"), "#!").unwrap();
    chown(path("bin/tool"), Some(7), Some(1_000_000)).unwrap();
    fs::set_permissions(path("bin/tool"), fs::Permissions::from_mode(0o4751)).unwrap();
    // A file capability, cap_net_raw=ep: binary, with zero bytes and a newline's value in it.
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    lsetxattr(path("bin/tool"), "security.capability", &capability, XattrFlags::empty()).unwrap();
    lsetxattr(path("bin"), "user.note", b"a\nb\0c", XattrFlags::empty()).unwrap();
    fs::hard_link(path("bin/tool"), path("bin/deep/same")).unwrap();
    symlink("../nowhere", path("bin/link")).unwrap();
    node("null", FileType::CharacterDevice, makedev(1, 3));
    node("disk", FileType::BlockDevice, makedev(254, 300));
    node("pipe", FileType::Fifo, 0);
    node("gone", FileType::CharacterDevice, 0);
    fs::create_dir(path("emptied")).unwrap();
    lsetxattr(path("emptied"), "trusted.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    fs::write(at.join(OsStr::from_bytes(b"caf\xe9 \x01")), "not UTF-8").unwrap();
    fs::write(path(&"long".repeat(60)), "").unwrap();
    let mut sparse = File::create(path("sparse")).unwrap();
    sparse.seek(SeekFrom::Start(1 << 30)).unwrap();
    sparse.write_all(b"the end").unwrap();
    drop(std::os::unix::net::UnixListener::bind(path("socket")).unwrap());
    fs::write(path("old"), "").unwrap();
    for (name, seconds) in [("old", -86_400), ("bin", 1_600_000_000)] {
        let time = Timespec { tv_sec: seconds, tv_nsec: 123_456_789 };
        let times = Timestamps { last_access: time, last_modification: time };
        utimensat(CWD, path(name), &times, rustix::fs::AtFlags::empty()).unwrap();
    }
}

fn packed(directory: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    pack_layer(directory, &mut bytes, &|_| false).unwrap();
    bytes
}

#[test]
fn there_and_back_again() {
    let place = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| place.path().join(name));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    everything(&first);
    let bytes = packed(&first);
    assert_eq!(bytes, packed(&first), "the same layer gives the same bytes");
    assert!(bytes.len() < 64 << 10, "holes take no space: {}", bytes.len());
    apply_layer(bytes.as_slice(), &Root::open(&second).unwrap()).unwrap();
    assert_eq!(bytes, packed(&second), "and so does its copy");
    let tool = fs::metadata(second.join("bin/tool")).unwrap();
    assert_eq!((tool.uid(), tool.gid(), tool.mode() & 0o7777, tool.nlink()), (7, 1_000_000, 0o4751, 2));
    assert_eq!(fs::metadata(second.join("old")).unwrap().mtime_nsec(), 123_456_789);
    let sparse = fs::metadata(second.join("sparse")).unwrap();
    assert!(sparse.len() > 1 << 30 && sparse.blocks() < 64);
}

#[test]
fn signs_of_the_kernel_become_names_and_sockets_stay() {
    let place = tempfile::tempdir().unwrap();
    everything(place.path());
    let bytes = packed(place.path());
    let mut archive = Archive::new(bytes.as_slice());
    let mut shown = Vec::new();
    while let Some(member) = archive.next_member().unwrap() {
        let name = String::from_utf8_lossy(&member.name).replace('\u{1}', "^A").replace('\u{fffd}', "?");
        let link = String::from_utf8_lossy(&member.link).into_owned();
        let kind = match member.kind {
            MemberKind::HardLink => format!("another name of {link}"),
            MemberKind::Symlink => format!("link to {link}"),
            kind => format!("{kind:?}").to_lowercase(),
        };
        shown.push(format!("{:.20}: {kind}", name.replace(&"long".repeat(60), "longlong…")));
    }
    insta::assert_snapshot!(shown.join("\n"), @"
    bin/: directory
    bin/deep/: directory
    bin/deep/same: file
    bin/link: link to ../nowhere
    bin/tool: another name of bin/deep/same
    caf? ^A: file
    disk: blockdevice
    emptied/: directory
    emptied/.wh..wh..opq: file
    .wh.gone: file
    longlong…: file
    null: chardevice
    old: file
    pipe: fifo
    sparse: file
    ");
}

/// Other people's programs read what we write, and the digest of a layer is that of the bytes that they see.
#[test]
fn gnu_tar_reads_it() {
    let place = tempfile::tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| place.path().join(name));
    fs::create_dir(&first).unwrap();
    fs::create_dir(&second).unwrap();
    everything(&first);
    fs::remove_file(first.join("gone")).unwrap();
    rustix::fs::lremovexattr(first.join("emptied"), "trusted.overlay.opaque").unwrap();
    let archive = place.path().join("layer.tar");
    fs::write(&archive, packed(&first)).unwrap();
    let flags = ["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf"];
    let output = Command::new("tar").current_dir(&second).args(flags).arg(&archive).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(packed(&first), packed(&second));
}

#[test]
fn space_is_counted_as_du_counts_it() {
    let place = tempfile::tempdir().unwrap();
    everything(place.path());
    let output = Command::new("du").args(["-s", "--block-size=1"]).arg(place.path()).output().unwrap();
    let du: u64 = String::from_utf8_lossy(&output.stdout).split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(usage(place.path()).unwrap().disk, du);
}
