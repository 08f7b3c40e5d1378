//! Who we are to a registry: what clients send along, and whether it is right.
//!
//! The daemon keeps no password. A client sends it with every request that needs it, in a header; the header is never
//! logged, and the types here never print a secret.

use ::images::{Credentials, Kind as Of, login, registry_of};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use bollard_stubs::models::SystemAuthResponse;
use serde::Deserialize;

use crate::engine::Engine;
use crate::error::{Error, Kind, Result};

/// What clients send: in the body of `POST /auth`, and in the header `X-Registry-Auth` as JSON in base64 for URLs.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Login {
    username: String,
    password: String,
    /// Both of the above: `user:password` in base64.
    auth: String,
    serveraddress: String,
    identitytoken: String,
    registrytoken: String,
}

impl Login {
    /// Reads the header. An empty object is nobody.
    ///
    /// # Errors
    /// 400 when it is not what it should be: going on as nobody would end in a puzzling "access denied".
    pub(super) fn from_header(header: &str) -> Result<Self> {
        let bad = |why: &dyn std::fmt::Display| Error::invalid(format!("invalid X-Registry-Auth header: {why}"));
        let bytes = URL_SAFE.decode(header).or_else(|_| URL_SAFE_NO_PAD.decode(header)).map_err(|error| bad(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| bad(&error))
    }

    /// The same in the words of chapter 6; nothing when nobody is named.
    pub(super) fn credentials(self) -> Option<Credentials> {
        let Self { mut username, mut password, auth, identitytoken, registrytoken, .. } = self;
        let pair = STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((user, secret)) = pair.as_deref().and_then(|pair| pair.split_once(':'))
            && username.is_empty()
        {
            (username, password) = (user.to_owned(), secret.trim_end_matches('\0').to_owned());
        }
        let known = [&username, &identitytoken, &registrytoken].into_iter().any(|word| !word.is_empty());
        known.then_some(Credentials {
            username,
            password,
            identity_token: identitytoken,
            registry_token: registrytoken,
        })
    }
}

/// The header's credentials, if there is a header.
pub(super) fn credentials(header: Option<&str>) -> Result<Option<Credentials>> {
    Ok(header.map(Login::from_header).transpose()?.and_then(Login::credentials))
}

impl Engine {
    /// Shows a user name and password to the registry. Nothing is kept: that is the client's business.
    ///
    /// # Errors
    /// 401 when the registry does not take them.
    pub async fn login(&self, login: Login) -> Result<SystemAuthResponse> {
        let server = registry_of(&login.serveraddress).to_owned();
        let shown = login.credentials().ok_or_else(|| Error::invalid("a login needs a user name and a password"))?;
        self.blocking(move |engine| match self::login(&server, &shown, &engine.images.registries()) {
            Ok(token) => Ok(SystemAuthResponse { status: "Login Succeeded".into(), identity_token: Some(token) }),
            Err(error) if error.kind() == Of::Denied => Err(Error::new(Kind::Unauthorized, error.to_string())),
            Err(error) => Err(error.into()),
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<Credentials> {
        credentials(Some(&URL_SAFE.encode(json))).unwrap()
    }

    #[test]
    fn a_login_is_read_and_an_empty_one_is_nobody() {
        for nobody in ["e30=", "e30"] {
            assert_eq!(credentials(Some(nobody)).unwrap(), None);
        }
        assert_eq!(credentials(None).unwrap(), None);
        assert_eq!(
            read(r#"{"username":"me","password":"it","serveraddress":"x"}"#),
            Some(Credentials::new("me", "it"))
        );
        let pair = STANDARD.encode("me:i:t");
        assert_eq!(read(&format!(r#"{{"auth":"{pair}"}}"#)), Some(Credentials::new("me", "i:t")));
        assert_eq!(read(r#"{"identitytoken":"t"}"#).unwrap().identity_token, "t");
        assert!(credentials(Some("{")).unwrap_err().message.starts_with("invalid X-Registry-Auth"));
    }
}
