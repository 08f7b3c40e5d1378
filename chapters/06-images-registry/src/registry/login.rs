//! `docker login`: whether a registry takes a password.
//!
//! Nobody stays logged in: a registry has no sessions, and the client shows its password or token with every request. All
//! that a login does is to try, and to bring back a refresh token where the token service gives one out, so that the
//! password need not be kept on the disk.

use ureq::http::{Response, StatusCode};

use super::auth::{Challenge, basic};
use super::endpoint::{Endpoint, unreachable};
use super::refusal::{MESSAGE, read, said};
use super::token::{Wanted, fetch};
use super::{Credentials, RegistryOptions};
use crate::error::{Error, Kind, Result};

/// The registry that docker's clients mean by a server's address: `https://index.docker.io/v1/` is `docker.io`, and
/// `https://host:5000/v2/` is `host:5000`.
///
/// ```
/// assert_eq!(images::registry_of("https://index.docker.io/v1/"), "docker.io");
/// assert_eq!(images::registry_of("localhost:5000"), "localhost:5000");
/// ```
pub fn registry_of(server: &str) -> &str {
    let host = server.split_once("://").map_or(server, |(_, rest)| rest);
    match host.split('/').next().unwrap_or_default() {
        "" | "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

/// Shows `credentials` to the registry `server`. Returns the refresh token to be kept instead of the password; it is empty
/// where there is none.
///
/// # Errors
/// [`Kind::Denied`] when the registry does not take them; [`Kind::Unavailable`] when it does not answer.
pub fn login(server: &str, credentials: &Credentials, options: &RegistryOptions) -> Result<String> {
    let host = registry_of(server);
    let endpoint = Endpoint::direct(host, options)?;
    let address = format!("{}/v2/", endpoint.base);
    let ask = |authorization: Option<&str>| {
        let mut request = endpoint.agent.get(&address);
        if let Some(header) = authorization {
            request = request.header("authorization", header);
        }
        request.call().map_err(|error| unreachable(host, &error))
    };
    let mut response = ask(None)?;
    if response.status() == StatusCode::OK {
        return Ok(String::new());
    }
    let challenges = Challenge::all(response.headers());
    let (header, refresh) = if let Some(bearer) = challenges.iter().find(|challenge| challenge.realm().is_some()) {
        let wanted = Wanted { scopes: Vec::new(), credentials: Some(credentials), offline: true };
        let token = fetch(&endpoint, bearer, &wanted, |response| refused(&address, response))?;
        (token.header(), token.refresh)
    } else if challenges.iter().any(|challenge| challenge.scheme == "basic") {
        endpoint.allow(&endpoint.base)?;
        (Some(basic(credentials)), String::new())
    } else {
        return Err(refused(&address, &mut response));
    };
    let mut response = ask(header.as_deref())?;
    match response.status() {
        StatusCode::OK => Ok(refresh),
        StatusCode::UNAUTHORIZED => {
            let status = StatusCode::UNAUTHORIZED;
            let words = format!("login attempt to {address} failed with status: {status}");
            Err(Error::worded(Kind::Denied, words).with_hint("Is the password right?"))
        }
        _ => Err(refused(&address, &mut response)),
    }
}

/// In docker's words.
fn refused(address: &str, response: &mut Response<ureq::Body>) -> Error {
    let status = response.status();
    let said = said(&read(response, MESSAGE).unwrap_or_default());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let said = said.unwrap_or_else(|| "unauthorized: incorrect username or password".to_owned());
            Error::worded(Kind::Denied, format!("Get {address:?}: {said}"))
        }
        _ => {
            let words = format!("login attempt to {address} failed with status: {status}");
            Error::worded(Kind::Unavailable, words).with_hint("Is it the address of a registry?")
        }
    }
}
