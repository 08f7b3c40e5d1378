//! The law of the chapter: whatever is done to files, a root made of layers ends as a plain directory would.
//!
//! Each case does the same random operations to a plain directory and to an overlay, makes a layer of the overlay's upper
//! directory, and looks at the same tree five ways: plain, in the overlay, through the new layer in another overlay, through
//! the layers put together by copying, and by the list of changes.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::overlay::{in_own_namespace, overlay};
use namespaces::Root;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use unionfs::{ChangeKind, Overlay, apply_layer, attach, changes, pack_layer};

/// One thing that a program does to files. Names are few, so that they meet each other.
#[derive(Debug, Clone)]
enum Doing {
    Write(PathBuf, u8),
    MakeDirectory(PathBuf),
    Symlink(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Chmod(PathBuf, u32),
    Append(PathBuf),
    Device(PathBuf),
}

impl Doing {
    /// Does it below `top`. What cannot be done (the name is taken, or is not there) is not done, here and there alike.
    fn to(&self, top: &Path) {
        let at = |path: &Path| top.join(path);
        // Links could lead outside of `top`: a path through one is left alone.
        let safe = |path: &Path| path.ancestors().skip(1).all(|above| !at(above).is_symlink());
        // Whoever opens a FIFO waits for somebody else.
        let fifo = |path: &Path| fs::symlink_metadata(at(path)).is_ok_and(|metadata| metadata.file_type().is_fifo());
        let plain = |path: &Path| safe(path) && !at(path).is_symlink() && !fifo(path);
        let _ = match self {
            Self::Write(path, byte) if plain(path) => fs::write(at(path), [*byte; 3]),
            Self::MakeDirectory(path) if safe(path) => fs::create_dir(at(path)),
            Self::Symlink(to, path) if safe(path) => symlink(to, at(path)),
            // Written first, so that it is in the upper directory and not in a lower one.
            Self::Link(of, path) if plain(of) && safe(path) => {
                fs::write(at(of), "linked").and_then(|()| fs::hard_link(at(of), at(path)))
            }
            // A directory of a lower layer cannot be renamed (EXDEV); programs copy then, and so is this left alone.
            Self::Rename(from, to) if safe(from) && safe(to) && !at(from).is_dir() => fs::rename(at(from), at(to)),
            Self::Remove(path) if safe(path) => {
                let directory = at(path).is_dir() && !at(path).is_symlink();
                if directory { fs::remove_dir_all(at(path)) } else { fs::remove_file(at(path)) }
            }
            Self::Chmod(path, mode) if plain(path) => fs::set_permissions(at(path), fs::Permissions::from_mode(*mode)),
            Self::Append(path) if plain(path) => {
                use std::io::Write as _;
                fs::File::options().append(true).open(at(path)).and_then(|mut file| file.write_all(b"more"))
            }
            Self::Device(path) if safe(path) => {
                rustix::fs::mknodat(rustix::fs::CWD, at(path), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
                    .map_err(Into::into)
            }
            _ => Ok(()),
        };
    }
}

fn doing() -> impl Strategy<Value = Doing> {
    let path = || {
        let name = prop_oneof![Just("a"), Just("b"), Just("c")];
        vec(name, 1..4).prop_map(|names| names.iter().collect::<PathBuf>())
    };
    prop_oneof![
        3 => (path(), any::<u8>()).prop_map(|(path, byte)| Doing::Write(path, byte)),
        4 => path().prop_map(Doing::MakeDirectory),
        1 => (path(), path()).prop_map(|(to, path)| Doing::Symlink(to, path)),
        1 => (path(), path()).prop_map(|(of, path)| Doing::Link(of, path)),
        2 => (path(), path()).prop_map(|(from, to)| Doing::Rename(from, to)),
        3 => path().prop_map(Doing::Remove),
        1 => (path(), prop_oneof![Just(0o700), Just(0o755), Just(0o4711)]).prop_map(|(path, mode)| Doing::Chmod(path, mode)),
        1 => path().prop_map(Doing::Append),
        1 => path().prop_map(Doing::Device),
    ]
}

/// The same for what becomes the lower layer, without hard links: the overlay breaks those when it copies a file up
/// (overlayfs.rst, "Non-standard behavior"; with `index=on` it would not, at the price of every start).
fn doing_below() -> impl Strategy<Value = Doing> {
    doing().prop_map(|doing| match doing {
        Doing::Link(of, _) => Doing::Write(of, 0),
        other => other,
    })
}

/// A tree as values: what each name is, with mode and content. The mode of a link means nothing.
pub(crate) fn tree(top: &Path) -> BTreeMap<PathBuf, (String, Vec<u8>)> {
    fn walk(top: &Path, at: &Path, found: &mut BTreeMap<PathBuf, (String, Vec<u8>)>) {
        for entry in fs::read_dir(top.join(at)).unwrap() {
            let path = at.join(entry.unwrap().file_name());
            let metadata = fs::symlink_metadata(top.join(&path)).unwrap();
            let kind = metadata.file_type();
            let (what, content) = match () {
                () if kind.is_dir() => ("directory", Vec::new()),
                () if kind.is_symlink() => {
                    ("link", fs::read_link(top.join(&path)).unwrap().into_os_string().into_encoded_bytes())
                }
                () if kind.is_fifo() => ("fifo", Vec::new()),
                () => ("file", fs::read(top.join(&path)).unwrap()),
            };
            let mode = if kind.is_symlink() { 0 } else { metadata.mode() & 0o7777 };
            found.insert(path.clone(), (format!("{what} {mode:o} {}", metadata.uid()), content));
            if kind.is_dir() {
                walk(top, &path, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(top, Path::new(""), &mut found);
    found
}

/// The directory `from` as a layer in the directory `to`.
fn as_layer(from: &Path, to: &Path) {
    let mut bytes = Vec::new();
    pack_layer(from, &mut bytes, &|_| false).unwrap();
    fs::create_dir(to).unwrap();
    apply_layer(bytes.as_slice(), &Root::open(to).unwrap()).unwrap();
}

/// What an overlay shows.
fn seen(overlay: &Overlay) -> BTreeMap<PathBuf, (String, Vec<u8>)> {
    overlay.make_directories().unwrap();
    attach(&overlay.mount().unwrap(), &overlay.target).unwrap();
    tree(&overlay.target)
}

fn check(place: &Path, before: &[Doing], then: &[Doing]) {
    let [plain, lower, layer] = ["plain", "lower", "layer"].map(|name| place.join(name));
    fs::create_dir(&plain).unwrap();
    for doing in before {
        doing.to(&plain);
    }
    as_layer(&plain, &lower);
    let old = tree(&plain);

    let running = overlay(&place.join("running"), vec![lower.clone()]);
    running.make_directories().unwrap();
    attach(&running.mount().unwrap(), &running.target).unwrap();
    for doing in then {
        doing.to(&plain);
        doing.to(&running.target);
    }
    let new = tree(&plain);
    assert_eq!(tree(&running.target), new, "in the overlay");

    as_layer(&running.upper, &layer);
    let lowers = vec![layer, lower];
    assert_eq!(seen(&overlay(&place.join("committed"), lowers.clone())), new, "through the new layer");
    let copied = overlay(&place.join("copied"), lowers);
    assert_eq!(super::overlay::copied(&copied), new, "by copying");

    let found = changes(&running.upper, &running.lowers).unwrap();
    let of = |kind| {
        found
            .iter()
            .filter(move |change| change.kind == kind)
            .map(|change| change.path.strip_prefix("/").unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let added: Vec<_> = new.keys().filter(|path| !old.contains_key(*path)).cloned().collect();
    let is_directory = |path: Option<&Path>| {
        path.is_none_or(|path| {
            path == Path::new("") || new.get(path).is_some_and(|(kind, _)| kind.starts_with("directory"))
        })
    };
    let deleted: Vec<_> =
        old.keys().filter(|path| !new.contains_key(*path) && is_directory(path.parent())).cloned().collect();
    assert_eq!((of(ChangeKind::Added), of(ChangeKind::Deleted)), (added, deleted), "the list of changes");
}

/// All cases in one namespace and in memory: each unmount would sync a file system and wait for all processors, so nothing
/// is unmounted until the end.
#[test]
fn layers_are_a_plain_directory() {
    let place = tempfile::tempdir().unwrap();
    let config = ProptestConfig {
        cases: if std::env::var_os("SKIFF_SOAK").is_some() { 3000 } else { 40 },
        max_shrink_iters: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    in_own_namespace(|| {
        let none = rustix::mount::MountFlags::empty();
        rustix::mount::mount("tmpfs", place.path(), "tmpfs", none, None).unwrap();
        let cases = (vec(doing_below(), 0..25), vec(doing(), 0..25));
        let number = std::cell::Cell::new(0);
        let ran = TestRunner::new(config).run(&cases, |(before, then)| {
            number.set(number.get() + 1);
            let case = place.path().join(number.get().to_string());
            fs::create_dir(&case).unwrap();
            check(&case, &before, &then);
            Ok(())
        });
        ran.unwrap_or_else(|failure| panic!("{failure}"));
    });
}
