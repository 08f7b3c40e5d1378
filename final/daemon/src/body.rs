//! The JSON body of a request, read leniently where clients differ and precisely where they err.
//!
//! Lenient: `Cmd` and `Entrypoint` may be one string instead of a list, and a field may begin with a small letter (docker-py
//! sends `detachKeys`; Go, and so docker, takes one for the other). Precise: what says that it is not JSON is refused as
//! docker refuses it, and a value of the wrong type with its path, `HostConfig.Memory`, instead of a line and a column. Where
//! docker reads any word and refuses it later, it is refused here in docker's words.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, TRANSFER_ENCODING};
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
        let bytes = read(request).await?.ok_or_else(nothing_there)?;
        Ok(Self(parse(&bytes)?))
    }
}

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for Perhaps<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refused> {
        Ok(Self(read(request).await?.map_or_else(|| Ok(T::default()), |bytes| parse(&bytes))?))
    }
}

/// The body that a request has, which must not say that it is something else than JSON. One that was announced in pieces and then has none is an
/// error, as with docker.
async fn read(request: Request) -> Result<Option<Bytes>, Error> {
    let (parts, body) = request.into_parts();
    let bytes = collect(body).await?;
    if !bytes.is_empty() {
        check_type(&parts.headers)?;
        return Ok(Some(bytes));
    }
    if parts.headers.contains_key(TRANSFER_ENCODING) { Err(nothing_there()) } else { Ok(None) }
}

fn nothing_there() -> Error {
    Error::invalid("invalid JSON: got EOF while reading request body")
}

/// `application/json`, with parameters or without (moby: `httputils.matchesContentType`), or nothing at all.
fn check_type(headers: &HeaderMap) -> Result<(), Error> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    if kind.is_empty() || kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::invalid(format!("unsupported Content-Type header ({given}): must be 'application/json'"))
        .hint("With curl: -H 'Content-Type: application/json'."))
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
    let mut value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Error::invalid(format!("invalid JSON: {}", syntax(bytes, &error))))?;
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
    serde_path_to_error::deserialize(value).map_err(|error| {
        let (path, why) = (error.path().to_string(), error.inner().to_string());
        let word = why.strip_prefix("unknown variant `").and_then(|rest| rest.split('`').next());
        let known = word.and_then(|word| unknown_word(&path, word));
        Error::invalid(known.unwrap_or_else(|| format!("invalid JSON: {path}: {why}")))
    })
}

/// Docker's sentence about a word that is none of those which may be at `path`.
fn unknown_word(path: &str, word: &str) -> Option<String> {
    let ends = |end: &str| path.ends_with(end);
    Some(if ends("RestartPolicy.Name") {
        format!(
            "invalid restart policy: unknown policy '{word}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    } else if path.starts_with("HostConfig.Mounts[") && ends("].Type") {
        format!("invalid mount config for type \"{word}\": mount type unknown")
    } else if ends("BindOptions.Propagation") {
        format!("invalid mount config for type \"bind\": invalid propagation mode: {word}")
    } else if path == "HostConfig.CgroupnsMode" {
        format!("invalid cgroup namespace mode: {word}")
    } else if path == "HostConfig.Isolation" {
        format!("Invalid isolation: \"{word}\" - linux only supports 'default'")
    } else {
        return None;
    })
}

/// `detachKeys` is `DetachKeys`.
fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_ascii_uppercase(), letters.as_str()))
}

/// What is wrong with the syntax. Clients and their tests know the words of Go's decoder for the two commonest mistakes.
fn syntax(bytes: &[u8], error: &serde_json::Error) -> String {
    let text = error.to_string();
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1));
    let found = line.and_then(|line| line.get(error.column().saturating_sub(1))).copied().map(char::from);
    let wanted = [("key must be a string", "object key string"), ("expected value", "value")];
    let wanted = wanted.into_iter().find(|(ours, _)| text.starts_with(ours));
    match (found, wanted) {
        (Some(found), Some((_, wanted))) => {
            format!("invalid character '{found}' looking for beginning of {wanted}, {}", place(error))
        }
        _ => text,
    }
}

fn place(error: &serde_json::Error) -> String {
    format!("at line {} column {}", error.line(), error.column())
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
        insta::assert_snapshot!(create(r#"{"HostConfig":{"RestartPolicy":{"Name":"something"}}}"#).unwrap_err(), @"invalid restart policy: unknown policy 'something'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'");
        insta::assert_snapshot!(create(r#"{"HostConfig":{"Mounts":[{"Type":"notreal"}]}}"#).unwrap_err(), @r#"invalid mount config for type "notreal": mount type unknown"#);
        insta::assert_snapshot!(create(r#"{"HostConfig":{"Mounts":[{"BindOptions":{"Propagation":"x"}}]}}"#).unwrap_err(), @r#"invalid mount config for type "bind": invalid propagation mode: x"#);
        insta::assert_snapshot!(create(r#"{"HostConfig":{"CgroupnsMode":"x"}}"#).unwrap_err(), @"invalid cgroup namespace mode: x");
        insta::assert_snapshot!(create("{").unwrap_err(),
            @"invalid JSON: EOF while parsing an object at line 1 column 1");
        insta::assert_snapshot!(create("{invalid").unwrap_err(), @"invalid JSON: invalid character 'i' looking for beginning of object key string, at line 1 column 2");
        insta::assert_snapshot!(create("{\n \"Image\": busybox}").unwrap_err(), @"invalid JSON: invalid character 'b' looking for beginning of value, at line 2 column 11");
        insta::assert_snapshot!(create("{} {}").unwrap_err(), @"invalid JSON: trailing characters at line 1 column 4");
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let kind = |kind: &'static str| {
            check_type(&HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().unwrap())])).map_err(|error| error.message)
        };
        assert_eq!((kind("application/json"), kind("Application/JSON; charset=utf-8")), (Ok(()), Ok(())));
        insta::assert_snapshot!(kind("text/plain").unwrap_err(), @"unsupported Content-Type header (text/plain): must be 'application/json'");
    }

    #[tokio::test]
    async fn no_body_is_not_an_empty_one() {
        let announced = Request::builder().header(TRANSFER_ENCODING, "chunked").body(Body::empty()).unwrap();
        assert_eq!(read(announced).await, Err(nothing_there()));
        assert_eq!(read(Request::new(Body::empty())).await, Ok(None));
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
