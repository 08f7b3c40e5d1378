//! Archives, honest and hostile, unpacked into a directory. As root: owners, devices and trusted attributes are real.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::archives::{archive, directory, extended, file, hard_link, member, padded, record, symlink};
use namespaces::Root;
use proptest::prelude::*;
use proptest::sample::Index;
use unionfs::{Stats, apply_layer};

/// `layer/` is unpacked into; `outside/` must stay as it is.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.layer()).unwrap();
        fs::create_dir(place.0.path().join("outside")).unwrap();
        fs::write(place.0.path().join("outside/secret"), "mine").unwrap();
        place
    }

    fn layer(&self) -> PathBuf {
        self.0.path().join("layer")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.layer().join(path)
    }

    fn outside(&self) -> String {
        self.0.path().join("outside").display().to_string()
    }

    fn unpack(&self, members: &[Vec<u8>]) -> Result<Stats, String> {
        let root = Root::open(&self.layer()).unwrap();
        apply_layer(archive(members).as_slice(), &root).map_err(|failure| failure.to_string())
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn assert_untouched(&self) {
        let names: Vec<_> = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        let outside = fs::read_dir(self.outside()).unwrap().count();
        assert_eq!((outside, fs::read_to_string(self.outside() + "/secret").unwrap().as_str()), (1, "mine"));
        let secret = fs::metadata(self.outside() + "/secret").unwrap();
        assert_eq!((secret.nlink(), secret.mode() & 0o7777), (1, 0o644));
    }
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0u8; 256];
    let length = rustix::fs::lgetxattr(path, name, &mut value).ok()?;
    Some(value[..length].to_vec())
}

#[test]
fn an_honest_layer() {
    let place = Place::new();
    let members = [
        directory("./"),
        directory("bin/"),
        member(b'0', b"bin/su", b"", 0o4755, b"#!"),
        symlink("sh", "/bin/su"),
        hard_link("bin/also", "bin/su"),
        file("deep/er/than/its/directories", "x"),
        member(b'6', b"pipe", b"", 0o600, b""),
        member(b'5', b"tmp/", b"", 0o1777, b""),
        file("tmp/later", "changes the time of tmp"),
    ];
    let stats = place.unpack(&members).unwrap();
    assert_eq!(stats, Stats { members: 9, size: 2 + 1 + 23 });
    let su = fs::metadata(place.at("bin/su")).unwrap();
    assert_eq!((su.mode() & 0o7777, su.nlink(), su.mtime()), (0o4755, 2, 1_000_000_000));
    assert_eq!(fs::read_link(place.at("sh")).unwrap(), Path::new("/bin/su"));
    assert_eq!(fs::symlink_metadata(place.at("sh")).unwrap().mtime(), 1_000_000_000);
    assert!(fs::metadata(place.at("pipe")).unwrap().file_type().is_fifo());
    let tmp = fs::metadata(place.at("tmp")).unwrap();
    assert_eq!((tmp.mode() & 0o7777, tmp.mtime()), (0o1777, 1_000_000_000));
    assert_eq!(fs::metadata(place.at("")).unwrap().mtime(), 1_000_000_000);
    assert_eq!(place.read("deep/er/than/its/directories"), "x");
}

#[test]
fn owners_devices_and_attributes() {
    let place = Place::new();
    let mut device = tar::Header::new_ustar();
    device.set_path("null").unwrap();
    device.set_entry_type(tar::EntryType::Char);
    device.set_mode(0o666);
    device.set_uid(12);
    device.set_gid(34);
    device.set_mtime(7);
    device.set_size(0);
    device.set_device_major(1).unwrap();
    device.set_device_minor(3).unwrap();
    device.set_cksum();
    // cap_dac_override and cap_fowner: the byte is a newline.
    let capability = [1, 0, 0, 2, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let records = [
        record("SCHILY.xattr.security.capability", &capability),
        record("SCHILY.xattr.user.note", b"hello\n17 path=/evil\n"),
        record("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
        record("path", b"ping"),
        record("uid", b"1000"),
        record("mtime", b"1234567890.123456789"),
    ];
    place.unpack(&[device.as_bytes().to_vec(), extended(&records), file("other", "x")]).unwrap();
    let null = fs::metadata(place.at("null")).unwrap();
    assert!(null.file_type().is_char_device());
    assert_eq!((null.rdev(), null.uid(), null.gid(), null.mode() & 0o777), (rustix::fs::makedev(1, 3), 12, 34, 0o666));
    let ping = fs::metadata(place.at("ping")).unwrap();
    assert_eq!((ping.uid(), ping.mtime(), ping.mtime_nsec()), (1000, 1_234_567_890, 123_456_789));
    assert_eq!(attribute(&place.at("ping"), "security.capability").as_deref(), Some(capability.as_slice()));
    assert_eq!(attribute(&place.at("ping"), "user.note").as_deref(), Some(b"hello\n17 path=/evil\n".as_slice()));
    assert_eq!(attribute(&place.at("ping"), "trusted.overlay.redirect"), None);
    assert!(!place.at("evil").exists() && !place.at("other").exists());
}

#[test]
fn long_names_and_names_that_are_not_text() {
    let place = Place::new();
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(250));
    let pax = "p".repeat(180);
    let members = [
        member(b'L', b"././@LongLink", b"", 0, format!("{long}\0").as_bytes()),
        file("short", "gnu"),
        extended(&[record("path", pax.as_bytes())]),
        file("short", "pax"),
        member(b'K', b"././@LongLink", b"", 0, "t".repeat(300).as_bytes()),
        symlink("link", "short"),
        member(b'0', b"\xff\xfe", b"", 0o644, b"bytes"),
    ];
    place.unpack(&members).unwrap();
    assert_eq!((place.read(&long).as_str(), place.read(&pax).as_str()), ("gnu", "pax"));
    assert_eq!(fs::read_link(place.at("link")).unwrap().as_os_str().len(), 300);
    assert!(place.layer().join(std::ffi::OsStr::from_bytes(b"\xff\xfe")).exists());
    assert!(!place.at("short").exists());
}

#[test]
fn files_with_holes() {
    let place = Place::new();
    let mut header = tar::Header::new_gnu();
    header.set_path("old").unwrap();
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(3);
    let gnu = header.as_gnu_mut().unwrap();
    gnu.sparse[0].set_offset(1 << 20);
    gnu.sparse[0].set_length(3);
    gnu.set_real_size(1 << 21);
    header.set_cksum();
    let old = [header.as_bytes().as_slice(), &padded(b"abc")].concat();
    let map = padded(b"2\n4096\n3\n1048576\n0\n");
    let records = [
        record("GNU.sparse.major", b"1"),
        record("GNU.sparse.minor", b"0"),
        record("GNU.sparse.name", b"new"),
        record("GNU.sparse.realsize", b"1048576"),
    ];
    let new = [extended(&records), member(b'0', b"GNUSparseFile.1/new", b"", 0o644, &[map, b"xyz".to_vec()].concat())];
    place.unpack(&[vec![old], new.to_vec(), vec![file("after", "ok")]].concat()).unwrap();
    let read = |name: &str| fs::read(place.at(name)).unwrap();
    assert_eq!((read("old").len(), &read("old")[1 << 20..(1 << 20) + 3]), (1 << 21, b"abc".as_slice()));
    assert_eq!((read("new").len(), &read("new")[4096..4099]), (1 << 20, b"xyz".as_slice()));
    assert!(fs::metadata(place.at("old")).unwrap().blocks() < 64, "the hole takes space");
    assert_eq!(place.read("after"), "ok");
}

#[test]
fn whiteouts_become_what_the_kernel_understands() {
    let place = Place::new();
    let members = [
        file("etc/.wh.passwd", ""),
        file("usr/.wh..wh..opq", ""),
        file(".wh..wh.plnk", ""),
        // Both orders of "it goes away, and there is a new one".
        file(".wh.first", ""),
        directory("first/"),
        directory("second/"),
        file(".wh.second", ""),
        file(".wh.third", ""),
        file("third", "new"),
        file("fourth", "new"),
        file(".wh.fourth", ""),
    ];
    place.unpack(&members).unwrap();
    let whiteout = fs::symlink_metadata(place.at("etc/passwd")).unwrap();
    assert!(whiteout.file_type().is_char_device() && whiteout.rdev() == 0);
    for opaque in ["usr", "first", "second"] {
        assert_eq!(
            attribute(&place.at(opaque), "trusted.overlay.opaque").as_deref(),
            Some(b"y".as_slice()),
            "{opaque}"
        );
    }
    assert_eq!((place.read("third").as_str(), place.read("fourth").as_str()), ("new", "new"));
    assert_eq!(fs::read_dir(place.layer()).unwrap().count(), 6);
}

#[test]
fn later_members_replace_earlier_ones() {
    let place = Place::new();
    let members = [
        directory("a/"),
        directory("a/b/"),
        file("a/b/c", "deep"),
        file("a", "a file now"),
        file("d", "a file"),
        directory("d/"),
        file("d/e", "a directory now"),
        symlink("f", "d"),
        directory("f/"),
        file("f/g", "not through the link"),
        file("h", "one"),
        hard_link("h", "h"),
        file("h", "two"),
    ];
    place.unpack(&members).unwrap();
    assert_eq!((place.read("a").as_str(), place.read("d/e").as_str()), ("a file now", "a directory now"));
    assert_eq!((place.read("f/g").as_str(), place.read("h").as_str()), ("not through the link", "two"));
    assert!(!place.at("d/g").exists());
}

/// The members of an archive that wants to reach the directory outside.
type Attack = fn(&str) -> Vec<Vec<u8>>;

#[test]
fn no_archive_gets_out() {
    let attacks: &[Attack] = &[
        |outside| vec![file(&format!("{outside}/absolute"), "x")],
        |_| vec![file("../outside/climbing", "x")],
        |_| vec![file("a/../../outside/climbing", "x")],
        |outside| vec![symlink("way", outside), file("way/through", "x")],
        |outside| vec![symlink("way", outside), file("way/secret", "theirs")],
        |_| vec![symlink("way", "../outside"), file("way/through", "x")],
        |outside| vec![symlink("way", outside), directory("way/new/")],
        |outside| vec![symlink("way", &format!("{outside}/secret")), file("way", "theirs")],
        |outside| vec![symlink("way", &format!("{outside}/secret")), member(b'1', b"mine", b"way", 0o777, b"")],
        |outside| vec![symlink("way", outside), hard_link("mine", "way/secret"), file("mine", "theirs")],
        |outside| vec![hard_link("mine", &format!("{outside}/secret"))],
        |_| vec![hard_link("mine", "../outside/secret")],
        |outside| vec![symlink("way", outside), file("way/.wh.secret", "")],
        |outside| vec![symlink("way", outside), file("way/.wh..wh..opq", "")],
        |outside| vec![symlink("a", "b"), symlink("b", outside), file("a/through", "x")],
        |outside| vec![directory("way/"), file("way/x", ""), symlink("way", outside), file("way/through", "x")],
        |outside| vec![symlink("way", outside), member(b'6', b"way/pipe", b"", 0o644, b"")],
        |outside| vec![symlink(".", outside), file("through", "x")],
        |outside| vec![symlink("way", &format!("{outside}/secret")), member(b'5', b"way/", b"", 0o777, b"")],
    ];
    for (number, attack) in attacks.iter().enumerate() {
        let place = Place::new();
        // Whether it is refused or clamped does not matter.
        let _ = place.unpack(&attack(&place.outside()));
        place.assert_untouched();
        assert!(attribute(Path::new(&place.outside()), "trusted.overlay.opaque").is_none(), "attack {number}");
    }
}

#[test]
fn broken_archives_are_refused_in_words() {
    let place = Place::new();
    let refused = |bytes: &[u8]| {
        let failure = apply_layer(bytes, &Root::open(&place.layer()).unwrap()).unwrap_err();
        assert_eq!(failure.errno, None, "{failure}");
        failure.to_string()
    };
    let whole = archive(&[file("a", &"x".repeat(2000))]);
    let mut damaged = whole.clone();
    damaged[0] ^= 1;
    let huge_header = member(b'L', b"././@LongLink", b"", 0, &vec![b'a'; (1 << 20) + 1]);
    let long_name = extended(&[record("path", "a/".repeat(3000).as_bytes())]);
    let holes = [record("GNU.sparse.map", b"10,5,3,5"), record("GNU.sparse.size", b"100")];
    let said = [
        refused(b"this is no archive, but a text that is long enough"),
        refused(&[b'x'; 2048]),
        refused(&damaged),
        refused(&whole[..700]),
        refused(&archive(&[huge_header, file("a", "")])),
        refused(&archive(&[long_name, file("a", "")])),
        refused(&archive(&[extended(&[b"99 path=x\n".to_vec()]), file("a", "")])),
        refused(&archive(&[extended(&holes), file("a", &"x".repeat(10))])),
        refused(&archive(&[extended(&[record("uid", b"4294967295")]), file("a", "")])),
        refused(&archive(&[member(b'V', b"label\x1b[31m", b"", 0, b"")])),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    cannot read the archive: it ends in the middle; it was cut off
    cannot read the archive: this is not a tar archive, or it is damaged (wrong checksum of a header)
    cannot read the archive: this is not a tar archive, or it is damaged (wrong checksum of a header)
    cannot unpack a: the archive ends in the middle of it
    cannot read the archive: the header of a member has more than 1048576 bytes
    cannot unpack a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/: its name is longer than 4096 bytes
    cannot read the archive: an extended header is malformed
    cannot read the archive: the map of a sparse file is out of order
    cannot set the owner of a: a user or group id is out of range
    cannot unpack label?[31m: it is of the unknown type 'V'
    ");
}

/// CVE-2025-58183: the pieces of a sparse file are counted before they are kept, in each of the forms that they come in.
#[test]
fn maps_of_sparse_files_are_bounded() {
    let place = Place::new();
    let lines: Vec<u8> = (0..400_000).flat_map(|at| format!("{at}\n0\n").into_bytes()).collect();
    let version =
        [record("GNU.sparse.major", b"1"), record("GNU.sparse.minor", b"0"), record("GNU.sparse.realsize", b"9")];
    let counted = [b"400000\n".to_vec(), lines].concat();
    let claimed = b"18446744073709551615\n0\n0\n".to_vec();
    let map: Vec<u8> = (0..400_000).flat_map(|at| format!("{at},0,").into_bytes()).collect();
    let in_header = extended(&[record("GNU.sparse.map", &map), record("GNU.sparse.size", b"9")]);
    // GNU's old form: each block says that another follows.
    let mut old = member(b'S', b"old", b"", 0o644, b"");
    old[482] = 1;
    let sum: u32 = old[..148].iter().chain(&[b' '; 8]).chain(&old[156..512]).map(|byte| u32::from(*byte)).sum();
    old[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut block = [b'0'; 512];
    block[504] = 1;
    let endless = [old, block.repeat(20_000)].concat();
    let archives = [
        archive(&[extended(&version), member(b'0', b"x", b"", 0o644, &counted)]),
        archive(&[extended(&version), member(b'0', b"x", b"", 0o644, &claimed)]),
        archive(&[in_header, file("x", "")]),
        endless,
    ];
    let said = archives
        .map(|bytes| apply_layer(bytes.as_slice(), &Root::open(&place.layer()).unwrap()).unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"), @r"
    cannot read the archive: a sparse file has more than 65536 pieces
    cannot read the map of a sparse file: failed to fill whole buffer
    cannot read the archive: the header of a member has more than 1048576 bytes
    cannot read the archive: a sparse file has more than 65536 pieces
    ");
}

#[test]
fn a_tree_too_deep_to_remove_is_refused() {
    let place = Place::new();
    let deep = "d/".repeat(1500);
    let mut members = vec![extended(&[record("path", deep.as_bytes())]), directory("x")];
    members.push(extended(&[record("linkpath", deep.as_bytes())]));
    members.push(symlink("s", "x"));
    for _ in 0..3 {
        members.push(extended(&[record("path", format!("s/{deep}").as_bytes())]));
        members.push(directory("x"));
        members.push(extended(&[record("linkpath", format!("s/{deep}").as_bytes())]));
        members.push(symlink("s", "x"));
    }
    assert!(place.unpack(&members).unwrap_err().contains("nested too deeply"));
}

/// An archive with a bit of everything.
fn everything() -> Vec<Vec<u8>> {
    vec![
        directory("a/"),
        extended(&[record("path", b"a/long"), record("SCHILY.xattr.user.x", b"y"), record("mtime", b"1.5")]),
        file("short", "content"),
        symlink("a/up", "../../.."),
        file("a/up/b", "through"),
        hard_link("c", "a/long"),
        file("a/.wh.gone", ""),
        member(b'L', b"././@LongLink", b"", 0, b"../../climbing\0"),
        file("short", "more"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    /// Whatever is written over an honest archive, it is unpacked inside or refused.
    #[test]
    fn damage_does_no_harm(places in proptest::collection::vec((any::<Index>(), any::<u8>()), 1..8), end in any::<Index>()) {
        let place = Place::new();
        let mut bytes = archive(&everything());
        for (at, byte) in &places {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
            // The checksum of the block is put right, or every damage of a header would end there.
            let start = at / 512 * 512;
            let header = &mut bytes[start..start + 512];
            header[148..156].fill(b' ');
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        bytes.truncate(end.index(2 * bytes.len()));
        let _ = apply_layer(bytes.as_slice(), &Root::open(&place.layer()).unwrap());
        place.assert_untouched();
    }
}
