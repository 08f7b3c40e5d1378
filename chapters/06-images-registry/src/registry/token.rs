//! The token that answers a challenge ("Token Authentication Specification" and "OAuth2 Token Authentication" of the
//! distribution project).
//!
//! | we have                | asked                                                             | answer              |
//! |------------------------|-------------------------------------------------------------------|---------------------|
//! | nothing                | `GET REALM?service=…&scope=…`                                     | token for the public |
//! | user and password      | the same, with Basic authorization                                | token               |
//! | the same, at a login   | the same, and `offline_token=true`                                | also a refresh token |
//! | a refresh token        | `POST REALM`, `grant_type=refresh_token&refresh_token=…&service=…&scope=…` | token      |
//!
//! A token is good for some minutes and for its scopes, so one is kept for each set of scopes. When it has run out the
//! registry says 401 once more, and another one is fetched.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use namespaces::Failure;
use serde::Deserialize;
use ureq::http::{Response, StatusCode};

use super::Credentials;
use super::auth::{Challenge, basic};
use super::endpoint::{Endpoint, unreachable};
use super::refusal::{MESSAGE, read};
use super::transport::origin;
use crate::error::{Error, Kind, Result};

/// What we call ourselves to token services.
const CLIENT: &str = "skiff";

/// What a token service answers.
#[derive(Deserialize)]
pub(super) struct Token {
    /// What most services call it.
    #[serde(default, rename = "token")]
    bearer: String,
    /// What OAuth 2.0 calls it; some services have only this one.
    #[serde(default, rename = "access_token")]
    access: String,
    /// For the next time, instead of the password. Only when a login asked for it.
    #[serde(default, rename = "refresh_token")]
    pub(super) refresh: String,
}

impl Token {
    /// The header to send with each request.
    pub(super) fn header(&self) -> Option<String> {
        let token = if self.bearer.is_empty() { &self.access } else { &self.bearer };
        (!token.is_empty()).then(|| format!("Bearer {token}"))
    }
}

/// What is asked of a token service.
pub(super) struct Wanted<'a> {
    /// What the token must be good for.
    pub(super) scopes: Vec<String>,
    /// Who we are; without, we are nobody.
    pub(super) credentials: Option<&'a Credentials>,
    /// Whether a refresh token is wanted too.
    pub(super) offline: bool,
}

/// Fetches a token from the challenge's realm. The realm is another host, and the registry has named it: the password goes
/// there because that is how the protocol works, but never unencrypted.
///
/// `refused` makes an error of an answer that is not 200.
pub(super) fn fetch(
    endpoint: &Endpoint,
    challenge: &Challenge,
    wanted: &Wanted<'_>,
    refused: impl FnOnce(&mut Response<ureq::Body>) -> Error,
) -> Result<Token> {
    let realm = challenge.realm().unwrap_or_default();
    endpoint.allow(realm)?;
    let service = challenge.parameter("service");
    let token = wanted.credentials.filter(|known| !known.identity_token.is_empty());
    let answer = if let Some(known) = token {
        endpoint.explain_request("POST", realm, None);
        endpoint.agent.post(realm).send_form(form(service, &wanted.scopes, &known.identity_token))
    } else {
        let address = address(realm, service, wanted);
        let shown = wanted.credentials.map(basic);
        endpoint.explain_request("GET", &address, shown.as_deref());
        let request = endpoint.agent.get(address);
        shown.into_iter().fold(request, |request, header| request.header("authorization", header)).call()
    };
    let mut response = answer.map_err(|error| unreachable(origin(realm), &error))?;
    endpoint.explain_answer(&response);
    if response.status() != StatusCode::OK {
        return Err(refused(&mut response));
    }
    let token: Option<Token> = serde_json::from_slice(&read(&mut response, MESSAGE)?).ok();
    token.filter(|token| token.header().is_some()).ok_or_else(|| {
        let failure = Failure::new("use the answer of the token service", "it has no token").on(origin(realm));
        Error::new(Kind::Unavailable, failure)
    })
}

/// The address of a GET.
fn address(realm: &str, service: &str, wanted: &Wanted<'_>) -> String {
    let separator = if realm.contains('?') { '&' } else { '?' };
    let scopes: String = wanted.scopes.iter().flat_map(|scope| ["&scope=".to_owned(), encode(scope)]).collect();
    let account = encode(wanted.credentials.map_or("", |known| &known.username));
    let offline = if wanted.offline {
        format!("&account={account}&client_id={CLIENT}&offline_token=true")
    } else {
        String::new()
    };
    format!("{realm}{separator}service={}{scopes}{offline}", encode(service))
}

/// The fields of a POST.
fn form(service: &str, scopes: &[String], token: &str) -> Vec<(&'static str, String)> {
    vec![
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", token.to_owned()),
        ("service", service.to_owned()),
        ("scope", scopes.join(" ")),
        ("client_id", CLIENT.to_owned()),
    ]
}

/// Percent-encoding of a query value (RFC 3986 section 2.1).
/// Everything but unreserved characters, so that a scope cannot add parameters of its own.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The `Authorization` headers that answered a challenge, by the scopes they are good for.
#[derive(Default)]
pub(super) struct Headers(Mutex<HashMap<Vec<String>, String>>);

impl Headers {
    /// The header for these scopes, once a challenge was answered.
    pub(super) fn get(&self, scopes: &[String]) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(scopes).cloned()
    }

    /// Keeps a header, in the place of one that has run out.
    pub(super) fn set(&self, scopes: &[String], header: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(scopes.to_vec(), header);
    }
}

/// Never prints a secret.
impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Headers")
    }
}

#[cfg(test)]
mod tests {
    use super::{Credentials, Token, Wanted, address};

    #[test]
    fn addresses() {
        let me = Credentials::new("me & you", "secret");
        let wanted = Wanted {
            scopes: vec!["repository:a/b:pull,push".into(), "repository:c:pull".into()],
            credentials: Some(&me),
            offline: false,
        };
        insta::assert_snapshot!(address("https://auth/token", "the registry", &wanted),
            @"https://auth/token?service=the%20registry&scope=repository%3Aa%2Fb%3Apull%2Cpush&scope=repository%3Ac%3Apull");
        let login = Wanted { scopes: Vec::new(), offline: true, ..wanted };
        insta::assert_snapshot!(address("http://x?a=b", "s", &login),
            @"http://x?a=b&service=s&account=me%20%26%20you&client_id=skiff&offline_token=true");
    }

    #[test]
    fn headers() {
        let token = |text| serde_json::from_str::<Token>(text).unwrap().header();
        assert_eq!(token(r#"{"token": "a", "access_token": "b"}"#).as_deref(), Some("Bearer a"));
        assert_eq!(token(r#"{"access_token": "b", "expires_in": 300}"#).as_deref(), Some("Bearer b"));
        assert_eq!(token("{}"), None);
    }
}
