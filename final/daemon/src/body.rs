//! The JSON body of a request, read leniently where clients differ and precisely where they err.
//!
//! Lenient: the content type does not matter (curl sends none), `Cmd` and `Entrypoint` may be one string instead of a list,
//! and a field may begin with a small letter (docker-py sends `detachKeys`; Go, and so docker, takes one for the other).
//! Precise: a value of the wrong type is refused with its path, `HostConfig.Memory`, instead of a line and a column.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;
use skiff_engine::Error;

use crate::reply::Refused;

/// The most that a JSON body may be. Docker's clients send a few kilobytes; a seccomp profile in it is the largest part.
const LIMIT: usize = 8 * 1024 * 1024;

/// A body that must be there.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

/// A body that may be missing; then everything in it is the default.
#[derive(Debug)]
pub(crate) struct Perhaps<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refused> {
        let bytes = collect(request.into_body()).await?;
        if bytes.is_empty() {
            return Err(Error::invalid("invalid JSON: got EOF while reading request body").into());
        }
        Ok(Self(parse(&bytes)?))
    }
}

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for Perhaps<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refused> {
        let bytes = collect(request.into_body()).await?;
        Ok(Self(if bytes.is_empty() { T::default() } else { parse(&bytes)? }))
    }
}

/// Reads a whole body into memory, up to the limit.
pub(crate) async fn collect(body: Body) -> Result<Bytes, Error> {
    match Limited::new(body, LIMIT).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Error::invalid(format!("the request's body is larger than {} MiB", LIMIT >> 20)))
        }
        Err(error) => Err(Error::invalid(format!("the request's body ended early: {error}"))),
    }
}

/// JSON to a value, with the path of what does not fit.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut value: Value =
        serde_json::from_slice(bytes).map_err(|error| Error::invalid(format!("invalid JSON: {error}")))?;
    if let Value::Object(fields) = &mut value {
        for (name, value) in fields.clone() {
            fields.entry(capitalised(&name)).or_insert(value);
        }
        for name in ["Cmd", "Entrypoint", "Shell"] {
            if let Some(text @ Value::String(_)) = fields.get_mut(name) {
                *text = Value::Array(vec![text.take()]);
            }
        }
    }
    serde_path_to_error::deserialize(value)
        .map_err(|error| Error::invalid(format!("invalid JSON: {}: {}", error.path(), error.inner())))
}

/// `detachKeys` is `DetachKeys`.
fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use skiff_engine::models::{ContainerCreateBody, ExecConfig};

    use super::*;

    fn create(json: &str) -> Result<ContainerCreateBody, String> {
        parse(json.as_bytes()).map_err(|error| error.message)
    }

    #[test]
    fn a_command_may_be_one_string() {
        let body = create(r#"{"Cmd":"ls","Entrypoint":["sh","-c"]}"#).unwrap();
        assert_eq!((body.cmd.unwrap(), body.entrypoint.unwrap().len()), (vec!["ls".to_owned()], 2));
        let exec: ExecConfig = parse(br#"{"Cmd":"id"}"#).unwrap();
        assert_eq!(exec.cmd.unwrap(), ["id"]);
    }

    #[test]
    fn a_field_may_begin_with_a_small_letter_and_the_capital_one_wins() {
        let exec: ExecConfig = parse(br#"{"Cmd":["id"],"detachKeys":"ctrl-p","user":"a","User":"b"}"#).unwrap();
        assert_eq!((exec.detach_keys.as_deref(), exec.user.as_deref()), (Some("ctrl-p"), Some("b")));
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        insta::assert_snapshot!(create(r#"{"HostConfig":{"Memory":"64m"}}"#).unwrap_err(),
            @r#"invalid JSON: HostConfig.Memory: invalid type: string "64m", expected i64"#);
        insta::assert_snapshot!(create(r#"{"Env":{"A":"b"}}"#).unwrap_err(),
            @"invalid JSON: Env: invalid type: map, expected a sequence");
        insta::assert_snapshot!(create("{").unwrap_err(),
            @"invalid JSON: EOF while parsing an object at line 1 column 1");
    }

    /// What docker 28.2.2 sends for `docker create -it -p 80 --name x busybox`: empty strings for enumerations, null for maps.
    #[test]
    fn what_the_docker_client_sends_is_understood() {
        let body = create(include_str!("../tests/docker-create.json")).unwrap();
        let host = body.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some("default"));
        assert_eq!(body.image.as_deref(), Some("busybox"));
    }
}
