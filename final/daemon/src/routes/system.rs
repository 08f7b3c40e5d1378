//! `/_ping`, `/version`, `/info`, `/events`, `/system/df`, `/system/check`: the daemon about itself.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};
use axum::response::IntoResponse;
use skiff_engine::Engine;

use crate::params::Params;
use crate::reply::{Reply, json, lines};
use crate::versions::Version;

/// The first request of every client: are you there, and which version do you speak? That is in the headers.
pub(crate) async fn ping() -> Response<Body> {
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (CACHE_CONTROL, "no-cache, no-store, must-revalidate"),
        (PRAGMA, "no-cache"),
        (HeaderName::from_static("swarm"), "inactive"),
        // The classic builder: with 2 a client would open BuildKit's session.
        (HeaderName::from_static("builder-version"), "1"),
    ];
    let headers: HeaderMap = headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    (headers, "OK").into_response()
}

pub(crate) async fn version() -> Response<Body> {
    json(&skiff_engine::system::version())
}

pub(crate) async fn info(State(engine): State<Engine>) -> Reply {
    Ok(json(&engine.info()?))
}

/// `type` says which sizes are wanted, and may come more than once. Clients older than 1.42 get all of them.
pub(crate) async fn usage(
    State(engine): State<Engine>,
    params: Params,
    Extension(version): Extension<Version>,
) -> Reply {
    let kinds = if version < Version(1, 42) { Vec::new() } else { params.all("type") };
    Ok(json(&engine.usage(&kinds).await?))
}

/// `POST /system/check`, which docker has not: hashes everything, compares every layer, removes what nobody needs.
pub(crate) async fn check(State(engine): State<Engine>) -> Reply {
    Ok(json(&engine.check().await?))
}

/// Never ends by itself, unless `until` is given.
pub(crate) async fn events(State(engine): State<Engine>, params: Params) -> Reply {
    let filters = params.filters()?;
    let (since, until) = (params.moment("since")?, params.moment("until")?);
    Ok(lines(engine.watch(since, until, filters)?))
}
