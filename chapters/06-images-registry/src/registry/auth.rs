//! Who may read what: the challenge of a registry, and the token that answers it (RFC 9110 section 11.6.1; "Token
//! Authentication Specification" of the distribution project).
//!
//! A registry that wants to know who asks answers 401 and says how to prove it:
//!
//! - `Basic realm="…"`: send the user name and password with each request;
//! - `Bearer realm="https://auth…/token",service="…",scope="repository:…:pull"`: go to the realm, show who you are (or
//!   nothing, for what is public), and bring back a token that is good for this scope for some minutes.
//!
//! Docker Hub wants a token even for public images: that is how it counts pulls. The password goes only to the realm,
//! and the token only to the registry.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::HeaderMap;

use super::Credentials;

/// One challenge of a `WWW-Authenticate` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// In lower case: `bearer`, `basic`.
    pub(super) scheme: String,
    /// Names in lower case.
    pub(super) parameters: BTreeMap<String, String>,
}

impl Challenge {
    /// All challenges of a header: a scheme, then parameters with commas between, then perhaps another scheme.
    pub(super) fn parse(header: &str) -> Vec<Self> {
        // SOLUTION challenge
        let mut challenges: Vec<Self> = Vec::new();
        let mut rest = header.trim_start_matches([' ', ',']);
        while !rest.is_empty() {
            let end = rest.find([' ', ',', '=']).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after;
            if let Some(value) = after.strip_prefix('=') {
                let (value, after) = parameter(value);
                if let Some(challenge) = challenges.last_mut() {
                    challenge.parameters.insert(word.to_ascii_lowercase(), value);
                }
                rest = after;
            } else {
                challenges.push(Self { scheme: word.to_ascii_lowercase(), parameters: BTreeMap::new() });
            }
            rest = rest.trim_start_matches([' ', ',']);
        }
        challenges
        // END SOLUTION
    }

    /// A parameter, or nothing.
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The challenges of an answer.
    pub(super) fn all(headers: &HeaderMap) -> Vec<Self> {
        let values = headers.get_all("www-authenticate");
        values.iter().filter_map(|value| value.to_str().ok()).flat_map(Self::parse).collect()
    }

    /// Where to get a token, when this is a challenge that a token answers.
    pub(super) fn realm(&self) -> Option<&str> {
        let realm = self.parameter("realm");
        (self.scheme == "bearer" && (realm.starts_with("https://") || realm.starts_with("http://"))).then_some(realm)
    }

    /// What the token must be good for: what we want to do, and what else the registry asks for. Where both name the same
    /// repository ours counts, because the registry only knows of the request at hand.
    pub(super) fn scopes(&self, ours: &[String]) -> Vec<String> {
        // SOLUTION token-scopes
        let mut scopes = ours.to_vec();
        for asked in self.parameter("scope").split_whitespace() {
            let thing = |scope: &str| scope.rsplit_once(':').map(|(thing, _)| thing.to_owned());
            if !scopes.iter().any(|scope| thing(scope) == thing(asked)) {
                scopes.push(asked.to_owned());
            }
        }
        scopes
        // END SOLUTION
    }
}

/// A value, quoted (with `\` before a quote that is part of it) or not, and what follows.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find([',', ' ']).unwrap_or(text.len()));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

/// The header for a user name and password (RFC 7617).
/// It is an encoding, not a protection: it must not travel in the clear.
pub(super) fn basic(credentials: &Credentials) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", credentials.username, credentials.password)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Challenge, Credentials, basic};

    #[test]
    fn challenges_are_taken_apart() {
        let hub = r#"realm="https://auth.docker.io/token",service="registry.docker.io""#;
        let [hub] = &Challenge::parse(&format!(r#"Bearer {hub},scope="repository:a/b:pull""#))[..] else { panic!() };
        assert_eq!(
            (hub.realm(), hub.parameter("service")),
            (Some("https://auth.docker.io/token"), "registry.docker.io")
        );
        let header = r#"Basic realm="a \"quoted\" realm, with a comma", BEARER Realm="http://x?a=b", service=plain"#;
        let [basic, bearer] = &Challenge::parse(header)[..] else { panic!() };
        assert_eq!((basic.scheme.as_str(), basic.parameter("realm")), ("basic", r#"a "quoted" realm, with a comma"#));
        assert_eq!((basic.realm(), bearer.realm()), (None, Some("http://x?a=b")));
        assert_eq!(Challenge::parse("Negotiate, Basic realm=x").len(), 2);
        assert_eq!(Challenge::parse(r#"Bearer realm="file:///etc/passwd""#)[0].realm(), None);
    }

    #[test]
    fn a_scope_is_ours_before_it_is_the_registrys() {
        let scopes = |asked: &str, ours: &[&str]| {
            let ours: Vec<_> = ours.iter().map(|&scope| scope.to_owned()).collect();
            Challenge::parse(&format!(r#"Bearer realm="https://a",scope="{asked}""#))[0].scopes(&ours)
        };
        let push = "repository:a:pull,push";
        assert_eq!(scopes("repository:a:pull", &[push]), [push]);
        assert_eq!(scopes("repository:a:pull repository:b:pull", &[push]), [push, "repository:b:pull"]);
        assert_eq!(scopes("", &[]), [""; 0]);
    }

    #[test]
    fn a_password_is_in_the_header_and_nowhere_else() {
        let credentials = Credentials::new("user", "pass");
        assert_eq!(basic(&credentials), "Basic dXNlcjpwYXNz");
        assert!(!format!("{credentials:?}").contains("pass"));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header: String) {
            for challenge in Challenge::parse(&header) {
                let _ = (challenge.realm(), challenge.scopes(&["repository:a:pull".to_owned()]));
            }
        }
    }
}
