//! What an answer other than "here it is" means, in docker's words where it has some.

use std::io::Read;

use namespaces::{Context, Failure};
use serde::Deserialize;
use ureq::http::{Response, StatusCode};

use super::client::Action;
use crate::error::{Error, Kind, Result};
use crate::reference::Reference;

/// The most bytes of an error message or a token that are read.
pub(super) const MESSAGE: u64 = 1 << 20;

/// The error of an answer about the image `name`. Its body is read for the registry's own words.
///
/// A registry says 401 or 403 both for "you may not" and for "there is no such repository": it does not want to tell
/// strangers which names exist. So the message has to say both.
pub(super) fn refusal(name: &Reference, action: Action, response: &mut Response<ureq::Body>) -> Error {
    let status = response.status();
    let said = said(&read(response, MESSAGE).unwrap_or_default());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            let said = said.unwrap_or_else(|| "denied: requested access to the resource is denied".to_owned());
            let words = match action {
                Action::Pull => format!(
                    "pull access denied for {}, repository does not exist or may require 'docker login': {said}",
                    name.familiar_name()
                ),
                Action::Push => said,
            };
            Error::worded(Kind::Denied, words)
                .with_hint("Is the name right? If the repository is private, log in first: skiff login REGISTRY.")
        }
        StatusCode::NOT_FOUND if action == Action::Pull => {
            let said = said.unwrap_or_else(|| "manifest unknown: manifest unknown".to_owned());
            Error::worded(Kind::NotFound, format!("manifest for {} not found: {said}", name.familiar()))
                .with_hint("Is the tag right? The registry has nothing of this name.")
        }
        _ => {
            let why = said.map_or_else(|| status.to_string(), |said| format!("{status}: {said}"));
            let failure = Failure::new(action.step(), why).on(name.familiar());
            Error::new(Kind::Unavailable, failure).with_hint("The registry is in trouble, or busy. Try again later.")
        }
    }
}

/// The body of a small answer. One that is longer than `limit` bytes is refused (CVE-2023-25153).
pub(super) fn read(response: &mut Response<ureq::Body>, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let step = "read the answer of the registry";
    response
        .body_mut()
        .as_reader()
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .step(step)
        .map_err(|failure| Error::new(Kind::Unavailable, failure))?;
    if bytes.len() as u64 > limit {
        let failure = Failure::new(step, format!("it has more than {limit} bytes"));
        return Err(Error::new(Kind::Invalid, failure));
    }
    Ok(bytes)
}

/// The first error of a registry's message, as docker shows it: `manifest unknown: manifest unknown`.
/// (distribution specification, "Error Codes".) The text is cut at 500 letters, and control characters are left out.
pub(super) fn said(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        code: String,
        #[serde(default)]
        message: String,
    }
    let said: Said = serde_json::from_slice(bytes).ok()?;
    let first = said.errors.into_iter().next()?;
    let text = format!("{}: {}", first.code.to_lowercase().replace('_', " "), first.message);
    // A stranger's words, on our user's terminal.
    Some(text.chars().filter(|letter| !letter.is_control()).take(500).collect())
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn what_the_registry_says() {
        let text = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown\u001b[31m","detail":{}}]}"#;
        assert_eq!(said(text).unwrap(), "manifest unknown: manifest unknown[31m");
        assert_eq!(said(b"<html>"), None);
    }
}
