//! What a handler answers: JSON, a stream of it, nothing, or an error as `{"message": …}` with the status of its kind.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use futures_util::future::ready;
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use skiff_engine::{Error, Kind};

use crate::sorted;

/// What every handler returns.
pub(crate) type Reply<T = Response<Body>> = Result<T, Refused>;

/// An error on its way to the client.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Error);

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response<Body> {
        let Self(error) = self;
        let status = StatusCode::from_u16(error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if error.kind == Kind::NotModified {
            return status.into_response();
        }
        if status.is_server_error() {
            tracing::error!("{}", error.message);
        }
        message(status, &error.to_string())
    }
}

/// `{"message": …}`, docker's only shape of an error.
pub(crate) fn message(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = json(&serde_json::json!({ "message": text }));
    *response.status_mut() = status;
    response
}

/// 200 and `value`. Docker ends its bodies with a newline, which is kind to curl.
pub(crate) fn json<T: Serialize>(value: &T) -> Response<Body> {
    match line(value) {
        Ok(line) => typed("application/json", Body::from(line)),
        Err(error) => message(StatusCode::INTERNAL_SERVER_ERROR, &format!("cannot write the answer: {error}")),
    }
}

/// A value with the members that docker always has.
pub(crate) fn complete(value: serde_json::Result<serde_json::Value>) -> Reply {
    Ok(json(&value.map_err(|error| unwritable(&error))?))
}

fn unwritable(error: &serde_json::Error) -> Error {
    Error::internal(format!("cannot write the answer: {error}"))
}

/// What was pruned. A list of nothing is null: docker's, for which clients test.
pub(crate) fn pruned<T: Serialize>(value: &T) -> Reply {
    let mut value = serde_json::to_value(value).map_err(|error| unwritable(&error))?;
    for member in value.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        if member.as_array().is_some_and(Vec::is_empty) {
            *member = serde_json::Value::Null;
        }
    }
    Ok(json(&value))
}

/// 201 and `value`.
pub(crate) fn created<T: Serialize>(value: &T) -> Response<Body> {
    let mut response = json(value);
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// 204.
pub(crate) fn nothing() -> Response<Body> {
    StatusCode::NO_CONTENT.into_response()
}

/// One JSON value per line, each sent as it comes: events, statistics, progress.
pub(crate) fn lines<T: Serialize>(values: impl Stream<Item = T> + Send + 'static) -> Response<Body> {
    let lines = values.filter_map(|value| ready(line(&value).ok())).map(Ok::<_, Infallible>);
    typed("application/json", Body::from_stream(lines))
}

/// 200 and a body of the given type.
pub(crate) fn typed(kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// `value` as a line of JSON. What cannot be written, which no type of the API is, becomes an empty line.
pub(crate) fn bytes_of<T: Serialize>(value: &T) -> Bytes {
    line(value).unwrap_or_default()
}

fn line<T: Serialize>(value: &T) -> serde_json::Result<Bytes> {
    let mut bytes = sorted::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}
