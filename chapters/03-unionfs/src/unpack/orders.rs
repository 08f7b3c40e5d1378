//! What a member of an archive means in a layer.
//!
//! A layer says what differs from the layers below, and a tar archive has no way to say "gone". So the image
//! specification (layer.md, "Whiteouts") borrows names: a member `.wh.NAME` means that NAME is gone, and `.wh..wh..opq`
//! that everything else in its directory is. Docker took the convention from AUFS, its first union file system. On disk
//! the overlay file system has signs of its own for the same two things; `tree.rs` makes them.
//!
//! This file only reads. It is given a name as a stranger wrote it and returns a value whose names are single
//! components, so that there is nothing left to check where files are made.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use namespaces::{Failure, Result};

use super::{Rules, shown};
use crate::archive::{Member, MemberKind};

/// The longest name that is accepted (`PATH_MAX`).
const PATH: usize = 4096;
/// Names that begin so are about the file whose name follows.
const WHITEOUT: &[u8] = b".wh.";
/// Names that begin so are notes of AUFS, where the convention comes from.
const NOTE: &[u8] = b".wh..wh.";
/// The one note that counts: its directory hides what the layers below have there.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// A regular file.
    File { at: Place },
    /// A directory. `None` is the layer's own top.
    Directory { at: Option<Place> },
    /// A symbolic link; where it leads is data and is not looked at.
    Symlink { at: Place },
    /// Another name of the file at `of`.
    HardLink { at: Place, of: Place },
    /// A device or a FIFO.
    Node { at: Place },
    /// The layers below have something at this place, and it is to be gone.
    Whiteout { at: Place },
    /// The layers below have something in this directory, and all of it is to be gone.
    Opaque { directory: PathBuf },
    /// Nothing.
    Skip,
}

/// Where: a directory (relative to the layer, links in it not yet followed) and a name in it, which is never empty, `.`
/// or `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Relative, without `.` and `..`. Empty for the top directory.
    pub(super) directory: PathBuf,
    /// One component.
    pub(super) name: OsString,
}

impl Place {
    /// The place of this name in the directory `base`.
    fn below(self, base: &Path) -> Self {
        Self { directory: base.join(self.directory), ..self }
    }

    /// The place as one path.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }
}

/// Reads the order in a member.
pub(super) fn read_order(member: &Member, rules: &Rules) -> Result<Order> {
    let place = |name| Ok(self::place(name, rules.rename.as_deref())?.map(|place| place.below(&rules.base)));
    let at = place(&member.name)?;
    if member.kind == MemberKind::Directory {
        return Ok(Order::Directory { at });
    }
    let at = at.ok_or_else(|| refuse(&member.name, "a file cannot take the place of the top directory"))?;
    if rules.whiteouts && at.name.as_bytes().starts_with(WHITEOUT) {
        return whiteout(at, &member.name);
    }
    Ok(match member.kind {
        MemberKind::File => Order::File { at },
        MemberKind::Symlink => Order::Symlink { at },
        MemberKind::CharDevice | MemberKind::BlockDevice | MemberKind::Fifo => Order::Node { at },
        MemberKind::Directory => Order::Skip,
        MemberKind::HardLink => {
            let of = place(&member.link)?;
            Order::HardLink { at, of: of.ok_or_else(|| refuse(&member.name, "a directory cannot be hard-linked"))? }
        }
        MemberKind::Unknown(kind) => {
            return Err(refuse(&member.name, &format!("it is of the unknown type {:?}", char::from(kind))));
        }
    })
}

/// A name that begins with `.wh.`. The content, mode and type of such a member mean nothing.
fn whiteout(at: Place, shown_as: &[u8]) -> Result<Order> {
    // SOLUTION whiteout
    let name = at.name.as_bytes();
    if name == OPAQUE {
        return Ok(Order::Opaque { directory: at.directory });
    }
    if name.starts_with(NOTE) {
        return Ok(Order::Skip);
    }
    match name.strip_prefix(WHITEOUT).unwrap_or_default() {
        b"" | b"." | b".." => Err(refuse(shown_as, "it is a whiteout of nothing")),
        hidden => Ok(Order::Whiteout { at: Place { name: OsStr::from_bytes(hidden).to_owned(), ..at } }),
    }
    // END SOLUTION
}

/// Cleans a name: absolute means from the top, and `..` at the top stays there. `None` is the top itself. `first` takes the
/// place of the first component; in an archive whose names begin with `./`, of that dot.
fn place(name: &[u8], first: Option<&OsStr>) -> Result<Option<Place>> {
    let dot = name.split(|byte| *byte == b'/').next() == Some(b".");
    if name.len() > PATH {
        return Err(refuse(name.get(..80).unwrap_or_default(), "its name is longer than 4096 bytes"));
    }
    if name.contains(&0) {
        return Err(refuse(name, "its name has a zero byte"));
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if let Some(first) = first {
        let named = usize::from(!dot && !parts.is_empty());
        parts.splice(..named, [first.as_bytes()]);
    }
    let Some(name) = parts.pop() else { return Ok(None) };
    let directory = parts.into_iter().map(OsStr::from_bytes).collect::<PathBuf>();
    Ok(Some(Place { directory, name: OsString::from_vec(name.to_vec()) }))
}

/// The failure of a member that cannot be what it says. It has no errno: the archive is at fault.
fn refuse(name: &[u8], why: &str) -> Failure {
    Failure::new("unpack", why).on(shown(name))
}

/// The top directory as [`namespaces::Root`] wants it.
pub(super) fn from_top(path: &Path) -> PathBuf {
    Path::new("/").join(path)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::{Member, MemberKind, Order, place, read_order};
    use crate::unpack::Rules;

    /// `FILE NAME` as the order that it is, on one line.
    fn order(name: &str, kind: MemberKind) -> String {
        let link = b"../../etc/shadow".to_vec();
        let member = Member { name: name.into(), kind, link, ..Member::default() };
        let show = |place: &super::Place| format!("/{}", place.path().display());
        let order = match read_order(&member, &Rules::of_layer()) {
            Err(failure) => failure.to_string(),
            Ok(Order::File { at }) => format!("file {}", show(&at)),
            Ok(Order::Directory { at: Some(at) }) => format!("directory {}", show(&at)),
            Ok(Order::Directory { at: None }) => "directory /".to_owned(),
            Ok(Order::Symlink { at }) => format!("symbolic link {}", show(&at)),
            Ok(Order::HardLink { at, of }) => format!("hard link {} of {}", show(&at), show(&of)),
            Ok(Order::Node { at }) => format!("node {}", show(&at)),
            Ok(Order::Whiteout { at }) => format!("whiteout {}", show(&at)),
            Ok(Order::Opaque { directory }) => format!("opaque /{}", directory.display()),
            Ok(Order::Skip) => "nothing".to_owned(),
        };
        format!("{name}: {order}")
    }

    #[test]
    fn what_members_mean() {
        use MemberKind::{Directory, Fifo, File, HardLink, Symlink, Unknown};
        let members = [
            ("./", Directory),
            ("usr/", Directory),
            ("/etc/passwd", File),
            ("a/../../../b", File),
            ("link", Symlink),
            ("shadow", HardLink),
            ("dev/pipe", Fifo),
            ("usr/.wh.bin", File),
            ("usr/.wh..wh..opq", File),
            (".wh..wh.plnk", File),
            ("usr/.wh...", File),
            (".wh.", File),
            ("..", File),
            ("odd", Unknown(b'V')),
        ];
        let read: Vec<_> = members.iter().map(|(name, kind)| order(name, *kind)).collect();
        assert_snapshot!(read.join("\n"), @"
        ./: directory /
        usr/: directory /usr
        /etc/passwd: file /etc/passwd
        a/../../../b: file /b
        link: symbolic link /link
        shadow: hard link /shadow of /etc/shadow
        dev/pipe: node /dev/pipe
        usr/.wh.bin: whiteout /usr/bin
        usr/.wh..wh..opq: opaque /usr
        .wh..wh.plnk: nothing
        usr/.wh...: cannot unpack usr/.wh...: it is a whiteout of nothing
        .wh.: cannot unpack .wh.: it is a whiteout of nothing
        ..: cannot unpack ..: a file cannot take the place of the top directory
        odd: cannot unpack odd: it is of the unknown type 'V'
        ");
    }

    #[test]
    fn the_first_component_can_be_another() {
        let renamed = ["a", "a/", "a/b", "./", "./b", "/", "/b", "../a/b"].map(|name| {
            let place = place(name.as_bytes(), Some("new".as_ref())).unwrap();
            place.map(|place| place.path().display().to_string()).unwrap()
        });
        assert_eq!(renamed, ["new", "new", "new/b", "new", "new/b", "new", "new", "new/b"]);
    }

    proptest! {
        #[test]
        fn a_place_never_climbs(name: Vec<u8>) {
            if let Ok(Some(place)) = place(&name, None) {
                let path = place.path();
                prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{path:?}");
            }
        }
    }
}
