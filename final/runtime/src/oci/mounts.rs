//! `mounts` of a `config.json` as the mounts of chapter 1.
//!
//! The specification has one list for two things: attributes of a mount (`ro`, `nosuid`) and options of a file system
//! (`size=64m`). They are told apart by name, as mount(8) does; config.md, "Linux mount options", has the names.

use std::path::{Path, PathBuf};

use namespaces::mount::{Attributes, Bits, Source};
use namespaces::{Failure, IdMap, Mount, Propagation, Result};

use super::config;

/// An attribute and its opposite, by the bits of mount_setattr(2): what is set, and what is cleared before it. The same with
/// an `r` before the name holds for everything mounted below as well.
const ATTRIBUTES: [(&str, &str, u64); 6] = [
    ("ro", "rw", libc::MOUNT_ATTR_RDONLY),
    ("nosuid", "suid", libc::MOUNT_ATTR_NOSUID),
    ("nodev", "dev", libc::MOUNT_ATTR_NODEV),
    ("noexec", "exec", libc::MOUNT_ATTR_NOEXEC),
    ("nodiratime", "diratime", libc::MOUNT_ATTR_NODIRATIME),
    ("nosymfollow", "symfollow", libc::MOUNT_ATTR_NOSYMFOLLOW),
];

/// How access times are kept: one of three, so each clears the others.
const ACCESS_TIMES: [(&str, u64); 6] = [
    ("noatime", libc::MOUNT_ATTR_NOATIME),
    ("strictatime", libc::MOUNT_ATTR_STRICTATIME),
    ("relatime", libc::MOUNT_ATTR_RELATIME),
    ("atime", libc::MOUNT_ATTR_RELATIME),
    ("norelatime", libc::MOUNT_ATTR_STRICTATIME),
    ("nostrictatime", libc::MOUNT_ATTR_RELATIME),
];

/// Options that are the kernel's default anyway, or of mount(2) only.
const WITHOUT_EFFECT: &str =
    "defaults async loud silent norecursive nomand mand noiversion iversion nolazytime lazytime remount";

/// Options that would change what the container sees and that this runtime does not have.
const REFUSED: &str = "copy-symlink src-nofollow dest-nofollow";

/// One mount; a bind's relative source is relative to the bundle.
pub(super) fn mount(wanted: &config::Mount, bundle: &Path) -> Result<Mount> {
    let target = Path::new("/").join(&wanted.destination);
    let mut attributes = Attributes::default();
    let (mut bind, mut recursive) = (wanted.kind == "bind", false);
    let mapped = !wanted.uid_mappings.is_empty() || !wanted.gid_mappings.is_empty();
    let mut map = mapped.then_some(false);
    let mut options = Vec::new();
    for option in &wanted.options {
        match option.as_str() {
            "bind" => bind = true,
            "rbind" => (bind, recursive) = (true, true),
            "idmap" => map = Some(false),
            "ridmap" => map = Some(true),
            // A stage does it (`copy_up.rs`).
            "tmpcopyup" if wanted.kind == "tmpfs" => {}
            known if listed(WITHOUT_EFFECT, known) => {}
            refused if listed(REFUSED, refused) => return Err(refuse(refused, &target)),
            other if apply(&mut attributes, other) => {}
            other => options.push(other.to_owned()),
        }
    }
    let source = match wanted.kind.as_str() {
        _ if bind => bind_source(wanted, bundle.join(&wanted.source), recursive, map),
        _ if map.is_some() => {
            return Err(Failure::new("mount", "only a bind can have mapped ids").on(target.display()));
        }
        "cgroup" | "cgroup2" => Source::Cgroup,
        kind => {
            if !wanted.source.is_empty() && wanted.source != kind {
                options.push(format!("source={}", wanted.source));
            }
            Source::New { kind: kind.to_owned(), options }
        }
    };
    name(&mut attributes);
    Ok(Mount { target, source, attributes })
}

/// Bits that chapter 1 has a name for are called by it.
fn name(attributes: &mut Attributes) {
    let mut take = |bit: u64| {
        let is_set = attributes.here.set & bit != 0;
        attributes.here.set &= !bit;
        is_set
    };
    attributes.readonly = take(libc::MOUNT_ATTR_RDONLY);
    attributes.nosuid = take(libc::MOUNT_ATTR_NOSUID);
    attributes.nodev = take(libc::MOUNT_ATTR_NODEV);
    attributes.noexec = take(libc::MOUNT_ATTR_NOEXEC);
    attributes.noatime = take(libc::MOUNT_ATTR_NOATIME);
    attributes.recursive_readonly = attributes.below.set & libc::MOUNT_ATTR_RDONLY != 0;
    attributes.below.set &= !libc::MOUNT_ATTR_RDONLY;
}

/// `map` is whether its ids are mapped, and whether those of the mounts below it are too.
fn bind_source(wanted: &config::Mount, path: PathBuf, recursive: bool, map: Option<bool>) -> Source {
    match map {
        None => Source::Bind { path, recursive },
        Some(map_below) => {
            let (uid_map, gid_map) = (id_map(&wanted.uid_mappings), id_map(&wanted.gid_mappings));
            Source::MappedBind { path, recursive, map_below, uid_map, gid_map }
        }
    }
}

pub(super) fn id_map(maps: &[config::IdMapping]) -> Vec<IdMap> {
    let map = |map: &config::IdMapping| IdMap { inside: map.container_id, outside: map.host_id, size: map.size };
    maps.iter().map(map).collect()
}

/// Whether `option` is an attribute.
fn apply(attributes: &mut Attributes, option: &str) -> bool {
    if let Some((propagation, recursive)) = propagation(option) {
        (attributes.propagation, attributes.recursive_propagation) = (Some(propagation), recursive);
        return true;
    }
    if let Some(change) = bits(option) {
        merge(&mut attributes.here, change);
        return true;
    }
    match option.strip_prefix('r').and_then(bits) {
        Some(change) => {
            merge(&mut attributes.here, change);
            merge(&mut attributes.below, change);
            true
        }
        None => false,
    }
}

/// The later option wins.
fn merge(bits: &mut Bits, change: Bits) {
    bits.set = (bits.set & !change.clear) | change.set;
    bits.clear |= change.clear;
}

/// What an option sets and clears.
fn bits(option: &str) -> Option<Bits> {
    for (name, opposite, bit) in ATTRIBUTES {
        if option == name {
            return Some(Bits { set: bit, clear: 0 });
        }
        if option == opposite {
            return Some(Bits { set: 0, clear: bit });
        }
    }
    let time = ACCESS_TIMES.iter().find(|(name, _)| *name == option)?;
    Some(Bits { set: time.1, clear: libc::MOUNT_ATTR__ATIME })
}

/// All options that are understood, for `features`.
pub(super) fn known_options() -> Vec<String> {
    let attributes = ATTRIBUTES.iter().flat_map(|(name, opposite, _)| [*name, *opposite]);
    let both =
        attributes.chain(ACCESS_TIMES.iter().map(|(name, _)| *name)).flat_map(|name| [name.into(), format!("r{name}")]);
    let propagation = ["private", "shared", "slave", "unbindable"].into_iter();
    let propagation = propagation.flat_map(|name| [name.into(), format!("r{name}")]);
    let binds = ["bind", "rbind", "idmap", "ridmap", "tmpcopyup"].map(str::to_owned);
    let others = WITHOUT_EFFECT.split_ascii_whitespace().map(str::to_owned);
    let mut all: Vec<_> = both.chain(propagation).chain(binds).chain(others).collect();
    all.sort();
    all
}

/// `rslave` is slave, and recursive.
pub(super) fn propagation(word: &str) -> Option<(Propagation, bool)> {
    let of = |word| match word {
        "private" => Some(Propagation::Private),
        "slave" => Some(Propagation::Slave),
        "shared" => Some(Propagation::Shared),
        "unbindable" => Some(Propagation::Unbindable),
        _ => None,
    };
    let recursive = word.strip_prefix('r').and_then(of).map(|propagation| (propagation, true));
    of(word).map(|propagation| (propagation, false)).or(recursive)
}

fn listed(list: &str, option: &str) -> bool {
    list.split_ascii_whitespace().any(|word| word == option)
}

fn refuse(option: &str, target: &Path) -> Failure {
    Failure::new("mount", format!("the option {option} is not supported"))
        .on(target.display())
        .hint("Remove the option from config.json.")
}
