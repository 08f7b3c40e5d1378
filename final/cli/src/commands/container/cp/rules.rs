//! Where things land: docker's rules for `cp`, which are those of cp(1) with a few differences.
//!
//! | source | target | result |
//! |---|---|---|
//! | file | a directory | the file in it, under its own name |
//! | file | a file | replaced |
//! | file | nothing | made under that name; refused when the target ends with a slash |
//! | directory | a directory | the directory in it; with `SOURCE/.` its contents |
//! | directory | a file | refused |
//! | directory | nothing | made under that name |
//!
//! (docs.docker.com, `docker container cp`; moby's `archive.PrepareArchiveCopy`.)

use std::ffi::OsString;

use crate::error::{Error, Result};

/// One of the two arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Side {
    /// `CONTAINER:PATH`
    Container {
        /// The container.
        name: String,
        /// The path in it.
        path: String,
    },
    /// A path of this machine, or `-`.
    Here(String),
}

/// A target and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// As it was written, links at its end followed.
    pub(super) path: String,
    /// `None` when nothing is there.
    pub(super) is_directory: Option<bool>,
}

/// Where an archive is unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Landing {
    /// A directory that exists.
    pub(super) directory: String,
    /// What the copied file or directory is called there; `None` keeps its name.
    pub(super) name: Option<OsString>,
}

/// Reads an argument. A colon behind a path that begins with `.` or `/` belongs to the path.
pub(super) fn side(argument: &str) -> Side {
    match argument.split_once(':') {
        Some((name, path)) if !argument.starts_with('/') && !name.starts_with('.') => {
            Side::Container { name: name.to_owned(), path: path.to_owned() }
        }
        _ => Side::Here(argument.to_owned()),
    }
}

/// Where to unpack the archive of a file or directory that is to be at `target`.
pub(super) fn landing(source_is_directory: bool, target: &Place) -> Result<Landing> {
    match target.is_directory {
        Some(true) => return Ok(Landing { directory: target.path.clone(), name: None }),
        Some(false) if source_is_directory => return Err(Error::new("cannot copy directory")),
        None if !source_is_directory && asks_for_directory(&target.path) => {
            return Err(Error::new("no such directory")
                .hint("The target ends with a slash: make it first, or leave the slash out."));
        }
        _ => {}
    }
    let trimmed = trim(&target.path);
    let (directory, name) = trimmed.rsplit_once('/').unwrap_or((".", trimmed));
    let directory = if directory.is_empty() { "/" } else { directory };
    Ok(Landing { directory: directory.to_owned(), name: Some(name.into()) })
}

/// Whether a path says by its end that it is a directory.
pub(super) fn asks_for_directory(path: &str) -> bool {
    path.ends_with('/') || path.rsplit('/').next() == Some(".")
}

/// The last component, which an archive of the path begins with. `None` for `.`, `..` and the root.
pub(super) fn base(path: &str) -> Option<OsString> {
    if path.trim_end_matches('/').rsplit('/').next() == Some(".") {
        return None;
    }
    trim(path).rsplit('/').next().filter(|name| !matches!(*name, "" | "." | "..")).map(OsString::from)
}

/// A path without what its end says: slashes and `/.`.
fn trim(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.strip_suffix("/.") {
        Some(rest) if !rest.is_empty() => trim(rest),
        _ => trimmed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_side_is_the_container() {
        let container = |name: &str, path: &str| Side::Container { name: name.into(), path: path.into() };
        assert_eq!(side("web:/etc"), container("web", "/etc"));
        assert_eq!(side("web:etc:x"), container("web", "etc:x"));
        for here in ["-", "file", "/a:b", "./a:b", "../a:b"] {
            assert_eq!(side(here), Side::Here(here.into()));
        }
    }

    #[test]
    fn where_things_land() {
        let shown = |is_directory, path: &str, there| {
            let place = Place { path: path.into(), is_directory: there };
            match landing(is_directory, &place) {
                Ok(Landing { directory, name }) => {
                    format!("{directory} as {}", name.map_or("itself".into(), |name| name.display().to_string()))
                }
                Err(error) => error.message,
            }
        };
        let all = [
            shown(false, "/d", Some(true)),
            shown(false, "/d/f", Some(false)),
            shown(false, "/d/new", None),
            shown(false, "/new/", None),
            shown(false, "/new/.", None),
            shown(true, "/d", Some(true)),
            shown(true, "/f", Some(false)),
            shown(true, "/new", None),
            shown(true, "/new/", None),
            shown(true, "d/new/.", None),
            shown(false, "new", None),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        /d as itself
        /d as f
        /d as new
        no such directory
        no such directory
        /d as itself
        cannot copy directory
        / as new
        / as new
        d as new
        . as new
        "#);
    }

    #[test]
    fn the_last_component() {
        let bases = ["/a/b", "b/", "a/b/.", ".", "/", "..", "b//"]
            .map(|path| base(path).map(|name| name.display().to_string()));
        assert_eq!(bases.map(Option::unwrap_or_default), ["b", "b", "", "", "", "", "b"]);
    }
}
