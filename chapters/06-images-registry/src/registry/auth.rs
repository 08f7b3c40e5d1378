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
use serde::Deserialize;

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
    }

    /// A parameter, or nothing.
    fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// The address to get a token from. `scope` is what we need, where the challenge does not say.
    pub(super) fn token_url(&self, scope: &str) -> Option<String> {
        let realm = Some(self.parameter("realm")).filter(|realm| realm.starts_with("http"))?;
        let asked = self.parameter("scope");
        let scope = if asked.is_empty() { scope } else { asked };
        let separator = if realm.contains('?') { '&' } else { '?' };
        let service = encode(self.parameter("service"));
        Some(format!("{realm}{separator}service={service}&scope={}", encode(scope)))
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

/// What a token service answers.
#[derive(Debug, Deserialize)]
pub(super) struct Token {
    /// What most services call it.
    #[serde(default)]
    token: String,
    /// What OAuth 2.0 calls it; some services have only this one.
    #[serde(default)]
    access_token: String,
}

impl Token {
    /// The header to send with each request.
    pub(super) fn header(&self) -> Option<String> {
        let token = if self.token.is_empty() { &self.access_token } else { &self.token };
        (!token.is_empty()).then(|| format!("Bearer {token}"))
    }
}

/// The header for a user name and password (RFC 7617).
/// It is an encoding, not a protection: it must not travel in the clear.
pub(super) fn basic(credentials: &Credentials) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", credentials.username, credentials.password)))
}

/// Percent-encoding of a query value (RFC 3986 section 2.1).
/// Everything but unreserved characters, so that a scope cannot add parameters of its own.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Challenge, Credentials, Token, basic};

    #[test]
    fn challenges_and_their_tokens() {
        let hub = r#"realm="https://auth.docker.io/token",service="registry.docker.io""#;
        let header = format!(r#"Bearer {hub},scope="repository:library/busybox:pull""#);
        let [challenge] = &Challenge::parse(&header)[..] else { panic!() };
        assert_eq!(
            challenge.token_url("unused").unwrap(),
            "https://auth.docker.io/token?service=registry.docker.io&scope=repository%3Alibrary%2Fbusybox%3Apull"
        );
        let header = r#"Basic realm="a \"quoted\" realm, with a comma", BEARER Realm="http://x?a=b", service=plain"#;
        let [basic, bearer] = &Challenge::parse(header)[..] else { panic!() };
        assert_eq!((basic.scheme.as_str(), basic.parameter("realm")), ("basic", r#"a "quoted" realm, with a comma"#));
        assert_eq!(bearer.token_url("s").unwrap(), "http://x?a=b&service=plain&scope=s");
        assert_eq!(Challenge::parse("Negotiate, Basic realm=x").len(), 2);
        assert_eq!(Challenge::parse(r#"Bearer realm="file:///etc/passwd""#)[0].token_url("s"), None);
    }

    #[test]
    fn headers() {
        let token = |text| serde_json::from_str::<Token>(text).unwrap().header();
        assert_eq!(token(r#"{"token": "a", "access_token": "b"}"#).as_deref(), Some("Bearer a"));
        assert_eq!(token(r#"{"access_token": "b", "expires_in": 300}"#).as_deref(), Some("Bearer b"));
        assert_eq!(token("{}"), None);
        let credentials = Credentials { username: "user".into(), password: "pass".into() };
        assert_eq!(basic(&credentials), "Basic dXNlcjpwYXNz");
        assert!(!format!("{credentials:?}").contains("pass"));
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header: String) {
            let _ = Challenge::parse(&header);
        }
    }
}
