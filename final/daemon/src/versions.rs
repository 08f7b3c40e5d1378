//! Versions of the API: every path may begin with `/v1.NN`, and a client lowers its own version to what `_ping` tells.
//!
//! We answer every version we accept in the same way, that of 1.51. What differs between versions and has broken clients
//! is handled where it happens (the content type of streams in `hijack.rs`).

use std::fmt::{self, Display};

use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use skiff_engine::Error;

/// A version of the API: always 1.NN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub(crate) u32, pub(crate) u32);

impl Version {
    /// The newest we speak.
    pub(crate) const NEWEST: Self = Self(1, 51);
    /// The oldest we accept: moby's own floor (`daemon/config`).
    pub(crate) const OLDEST: Self = Self(1, 24);

    /// `1.44`
    fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }

    /// Docker's two refusals, whose words clients compare.
    fn check(self) -> Result<Self, Error> {
        if self < Self::OLDEST {
            return Err(Error::invalid(format!(
                "client version {self} is too old. Minimum supported API version is {}, please upgrade your client to a \
                 newer version",
                Self::OLDEST
            )));
        }
        if self > Self::NEWEST {
            return Err(Error::invalid(format!(
                "client version {self} is too new. Maximum supported API version is {}",
                Self::NEWEST
            )));
        }
        Ok(self)
    }
}

impl Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Takes the version off the path, so that the table of routes has every path once. A path without one means the newest.
pub(crate) fn negotiate(uri: &mut Uri) -> Result<Version, Error> {
    let Some(whole) = uri.path_and_query() else { return Ok(Version::NEWEST) };
    let Some((version, rest)) = split(whole.as_str()) else { return Ok(Version::NEWEST) };
    let version = version.check()?;
    let rest: PathAndQuery = rest.parse().map_err(|error| Error::invalid(format!("bad path {rest}: {error}")))?;
    *uri = rest.into();
    Ok(version)
}

/// `/v1.44/info?a=b` is 1.44 and `/info?a=b`.
fn split(path: &str) -> Option<(Version, &str)> {
    let path = path.strip_prefix("/v")?;
    let (version, rest) = path.split_at_checked(path.find('/')?)?;
    Some((Version::parse(version)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_taken_off_or_refused() {
        let table: Vec<String> = [
            "/_ping",
            "/v1.44/info",
            "/v1.24/containers/json?all=1",
            "/v1.51/",
            "/v1.23/info",
            "/v1.52/info",
            "/v2.0/info",
            "/volumes",
            "/v/info",
            "/v1/info",
            "/vx.y/info",
            "/v1.44",
        ]
        .into_iter()
        .map(|path| {
            let mut uri: Uri = path.parse().unwrap();
            match negotiate(&mut uri) {
                Ok(version) => format!("{path} -> {version} {uri}"),
                Err(error) => format!("{path} -> {} {}", error.kind.status(), error.message),
            }
        })
        .collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
