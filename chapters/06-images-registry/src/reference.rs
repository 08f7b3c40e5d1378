//! The name of an image: `[registry[:port]/]path[:tag][@digest]`.
//!
//! People write `busybox` and mean `docker.io/library/busybox:latest`. The short form is called *familiar*, and the
//! rules between the two are Docker's: the first component is a registry only if it could not be anything else (it has
//! a dot, a colon or a capital letter, or is `localhost`), and what has no registry is of docker.io, where a name
//! without a slash is in `library`. A value of this type is always valid and always in the full form.
//!
//! | written                      | means                                    |
//! |------------------------------|------------------------------------------|
//! | `busybox`                    | `docker.io/library/busybox` (`:latest`)  |
//! | `grafana/loki:3.0`           | `docker.io/grafana/loki:3.0`             |
//! | `localhost/app`              | `localhost/app`: a registry on this host |
//! | `localhost:5000/team/app:v1` | port 5000 of this host                   |
//! | `host:80`                    | `docker.io/library/host:80`: a tag       |
//! | `busybox@sha256:…`           | exactly this content, whatever its tags  |
//!
//! ```
//! use images::Reference;
//! let reference: Reference = "busybox".parse::<Reference>()?.or_latest();
//! assert_eq!(reference.to_string(), "docker.io/library/busybox:latest");
//! assert_eq!(reference.familiar(), "busybox:latest");
//! assert_eq!((reference.domain(), reference.path()), ("docker.io", "library/busybox"));
//! assert!("Busybox".parse::<Reference>().is_err(), "names are in lower case");
//! # Ok::<(), images::Error>(())
//! ```
//!
//! The grammar is that of the distribution project (`reference/regexp.go` there). It is written out here as functions,
//! each for one part, instead of one regular expression for all.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unionfs::Digest;

use crate::error::{Error, Kind};

/// The registry of names that name none.
const DOCKER_IO: &str = "docker.io";
/// Where docker.io keeps names without a slash.
const LIBRARY: &str = "library/";
/// Registry and path together have at most this many characters.
const NAME: usize = 255;
/// A tag has at most this many.
const TAG: usize = 128;

/// A valid image name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The registry: `docker.io`, `localhost:5000`, `ghcr.io`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The repository within the registry: `library/busybox`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, when one was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, when one was written.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Adds the tag `latest` when there is neither a tag nor a digest.
    #[must_use]
    pub fn or_latest(mut self) -> Self {
        if self.digest.is_none() && self.tag.is_none() {
            self.tag = Some("latest".to_owned());
        }
        self
    }

    /// What a registry is asked for: the digest, or else the tag, or else `latest`.
    pub(crate) fn wanted(&self) -> String {
        self.digest.map_or_else(|| self.tag().unwrap_or("latest").to_owned(), |digest| digest.to_string())
    }

    /// Only the repository, without tag and digest.
    #[must_use]
    pub fn repository(&self) -> Self {
        Self { tag: None, digest: None, ..self.clone() }
    }

    /// The same repository with this tag and no digest. The tag must be valid.
    pub fn with_tag(&self, tag: &str) -> Result<Self, Error> {
        if !is_tag(tag) {
            return Err(invalid("invalid tag format"));
        }
        Ok(Self { tag: Some(tag.to_owned()), ..self.repository() })
    }

    /// The same repository with this digest and no tag.
    #[must_use]
    pub fn with_digest(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.repository() }
    }

    /// Whether both are of the same repository.
    /// A tag and a digest of the same repository speak of the same thing; of two repositories they do not.
    pub fn same_repository(&self, other: &Self) -> bool {
        (&self.domain, &self.path) == (&other.domain, &other.path)
    }

    /// As people write it: without `docker.io/` and `library/`.
    pub fn familiar(&self) -> String {
        self.familiar_name() + &self.suffix()
    }

    /// The familiar repository without tag and digest: `busybox`, `localhost:5000/app`.
    pub fn familiar_name(&self) -> String {
        // SOLUTION ref-familiar
        let short = match self.path.strip_prefix(LIBRARY) {
            Some(name) if !name.contains('/') => name,
            _ => &self.path,
        };
        // `docker.io/localhost/app` cannot be shortened: `localhost/app` is something else.
        let misleading = short.split_once('/').is_some_and(|(first, _)| is_domain_like(first));
        if self.domain == DOCKER_IO && !misleading {
            return short.to_owned();
        }
        format!("{}/{}", self.domain, self.path)
        // END SOLUTION
    }

    /// `:tag@digest`, as far as there is one.
    fn suffix(&self) -> String {
        let tag = self.tag.iter().map(|tag| format!(":{tag}"));
        tag.chain(self.digest.iter().map(|digest| format!("@{digest}"))).collect()
    }
}

/// The full form: `docker.io/library/busybox:latest`.
impl Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.domain, self.path, self.suffix())
    }
}

/// Reads both forms. The order of the checks is docker's, so that the same mistake gets the same answer: an id that was
/// taken for a name, then capital letters, then everything else.
impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || invalid("invalid reference format");
        let (domain, rest) = match text.split_once('/') {
            Some((first, rest)) if is_domain_like(first) => (first, rest),
            _ => (DOCKER_IO, text),
        };
        let domain = if domain == "index.docker.io" { DOCKER_IO } else { domain };
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| malformed())?)),
            None => (rest, None),
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        let library = domain == DOCKER_IO && !path.contains('/');
        let path = if library { format!("{LIBRARY}{path}") } else { path.to_owned() };
        // Nobody could tell it from an id, in whichever form it was written.
        if let Some(id) =
            path.strip_prefix(LIBRARY).filter(|name| domain == DOCKER_IO && Digest::from_hex(name).is_ok())
        {
            let words = format!("invalid repository name ({id}), cannot specify 64-byte hexadecimal strings");
            return Err(invalid(&words));
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(invalid(&format!("invalid reference format: repository name ({path}) must be lowercase")));
        }
        if !is_domain(domain) || !path.split('/').all(is_component) || !tag.is_none_or(is_tag) {
            return Err(malformed());
        }
        if domain.len() + 1 + path.len() > NAME {
            return Err(invalid(&format!("repository name must not be more than {NAME} characters")));
        }
        Ok(Self { domain: domain.to_owned(), path, tag: tag.map(str::to_owned), digest })
    }
}

/// For serde, which writes the full form and reads both.
impl TryFrom<String> for Reference {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

/// Whether the first component cannot be part of a path.
fn is_domain_like(first: &str) -> bool {
    // SOLUTION ref-domain
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|byte| byte.is_ascii_uppercase())
    // END SOLUTION
}

/// A host name, an IPv4 address, or an IPv6 address in brackets; and perhaps a port.
fn is_domain(domain: &str) -> bool {
    let host = match domain.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => domain,
    };
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    }
    host.split('.').all(|label| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    })
}

/// Lower-case letters and digits, in groups that are separated by one dot, one or two underscores, or any hyphens.
fn is_component(component: &str) -> bool {
    // SOLUTION ref-component
    let alphanumeric = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let separator = |text: &str| matches!(text, "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    component.starts_with(alphanumeric)
        && component.ends_with(alphanumeric)
        && component.split(alphanumeric).filter(|between| !between.is_empty()).all(separator)
    // END SOLUTION
}

/// A letter, digit or underscore; then also dots and hyphens.
fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

/// Docker's words, since its clients print them as they are; and what it leaves out, as a hint.
fn invalid(words: &str) -> Error {
    Error::worded(Kind::Invalid, words).with_hint(
        "A name is [REGISTRY[:PORT]/]PATH[:TAG][@DIGEST] in lower case: busybox, alpine:3.20, localhost:5000/team/app.",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Digest, Reference};

    fn parse(text: &str) -> Result<Reference, String> {
        text.parse().map_err(|error: crate::Error| error.to_string())
    }

    #[test]
    fn familiar_and_full() {
        let digest = Digest::of(b"");
        let table = [
            ("busybox", "busybox", "docker.io/library/busybox"),
            ("busybox:1.36", "busybox:1.36", "docker.io/library/busybox:1.36"),
            ("index.docker.io/library/busybox", "busybox", "docker.io/library/busybox"),
            ("grafana/loki", "grafana/loki", "docker.io/grafana/loki"),
            ("localhost/app", "localhost/app", "localhost/app"),
            ("localhost:5000/team/app:v1", "localhost:5000/team/app:v1", "localhost:5000/team/app:v1"),
            ("[::1]:5000/app", "[::1]:5000/app", "[::1]:5000/app"),
            ("docker.io/localhost/app", "docker.io/localhost/app", "docker.io/localhost/app"),
            ("a__b/c.d-e---f", "a__b/c.d-e---f", "docker.io/a__b/c.d-e---f"),
            ("host:80", "host:80", "docker.io/library/host:80"),
        ];
        for (text, familiar, full) in table {
            let reference = parse(text).unwrap();
            assert_eq!((reference.familiar().as_str(), reference.to_string().as_str()), (familiar, full), "{text}");
        }
        let pinned = parse(&format!("busybox:1@{digest}")).unwrap();
        assert_eq!((pinned.tag(), pinned.digest()), (Some("1"), Some(digest)));
        assert_eq!(pinned.clone().or_latest(), pinned);
        assert_eq!(parse("busybox").unwrap().or_latest().familiar(), "busybox:latest");
    }

    #[test]
    fn what_is_refused_and_how() {
        let long = "a/".repeat(128) + "a";
        let id = "a".repeat(64);
        let tag = format!("a:{}", "x".repeat(129));
        let bad = [
            "",
            ":x",
            "a:",
            "a/",
            "/a",
            "a//b",
            "a b",
            "-a",
            "a_",
            "a..b",
            "a___b",
            "a@sha256:12",
            "a:-x",
            &tag,
            "a:b:c",
            "é",
            "http://a/b",
            "b-.c/a",
            "../a",
            "localhost:x/a",
        ];
        for text in bad {
            assert_eq!(parse(text), Err("invalid reference format".to_owned()), "{text}");
        }
        assert_eq!(
            parse("BusyBox").unwrap_err(),
            "invalid reference format: repository name (library/BusyBox) must be lowercase"
        );
        assert_eq!(
            parse(&id).unwrap_err(),
            format!("invalid repository name ({id}), cannot specify 64-byte hexadecimal strings")
        );
        assert_eq!(parse(&long).unwrap_err(), "repository name must not be more than 255 characters");
        assert_eq!(parse("a").unwrap().with_tag("a/b").unwrap_err().to_string(), "invalid tag format");
    }

    proptest! {
        #[test]
        fn both_forms_come_back(
            domain in "(([a-z0-9]{1,5}\\.[a-z]{2,3}|localhost)(:[0-9]{1,5})?/)?",
            path in "[a-z0-9]{1,6}([_-][a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,6}){0,3}",
            tag in proptest::option::of("[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20}"),
            digest in proptest::option::of(any::<[u8; 4]>()),
        ) {
            let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
            let digest = digest.map(|bytes| format!("@{}", Digest::of(&bytes))).unwrap_or_default();
            let reference = parse(&format!("{domain}{path}{tag}{digest}")).unwrap();
            prop_assert_eq!(&parse(&reference.to_string()).unwrap(), &reference);
            prop_assert_eq!(&parse(&reference.familiar()).unwrap(), &reference);
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            if let Ok(reference) = parse(&text) {
                prop_assert_eq!(&parse(&reference.to_string()).unwrap(), &reference);
            }
        }
    }
}
