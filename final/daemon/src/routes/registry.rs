//! `/auth` and `/distribution`: asking registries, without fetching anything.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{HeaderMap, Response, StatusCode};
use skiff_engine::Engine;
use skiff_engine::images::Login;

use crate::body::Asked;
use crate::reply::{Reply, json, message};

/// `POST /auth`: whether a registry takes a password.
pub(crate) async fn login(State(engine): State<Engine>, Asked(login): Asked<Login>) -> Reply {
    Ok(json(&engine.login(login).await?))
}

/// `GET /distribution/NAME/json`; and `…/manifest`, which docker has not: the document itself.
pub(crate) async fn distribution(State(engine): State<Engine>, Path(rest): Path<String>, headers: HeaderMap) -> Reply {
    match rest.rsplit_once('/') {
        Some((name, "json")) => Ok(json(&engine.inspect_distribution(name, header(&headers)).await?)),
        Some((name, "manifest")) => {
            let (kind, bytes) = engine.remote_manifest(name, header(&headers)).await?;
            let mut response = Response::new(Body::from(bytes));
            let plain = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_str(&kind).unwrap_or(plain));
            Ok(response)
        }
        _ => Ok(message(StatusCode::NOT_FOUND, "page not found")),
    }
}

/// Who the client is to the registry: the header `X-Registry-Auth`.
pub(crate) fn header(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-registry-auth").and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
}
