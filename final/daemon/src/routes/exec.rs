//! `/containers/ID/exec` and `/exec`: further programs in a running container.

use axum::Extension;
use axum::body::Body;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::json;
use skiff_engine::Engine;
use skiff_engine::models::{ExecConfig, ExecStartConfig};

use crate::body::{Asked, Perhaps};
use crate::detach::Detach;
use crate::params::Params;
use crate::reply::{self, Reply, created};
use crate::versions::Version;
use crate::{complete, frames, hijack};

pub(crate) async fn create(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Asked(config): Asked<ExecConfig>,
) -> Reply {
    // Sequences that cannot be are refused now and not when the exec starts.
    Detach::parse(config.detach_keys.as_deref().unwrap_or_default())?;
    let id = engine.containers.exec_create(&id, config)?;
    Ok(created(&json!({ "Id": id })))
}

/// The body comes first and the stream after it, on the same connection. What goes wrong before the head of the answer has a
/// status; what goes wrong after it is said on the stream.
pub(crate) async fn start(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Extension(version): Extension<Version>,
    request: Request,
) -> Reply {
    let (parts, body) = request.into_parts();
    let asked = Request::from_parts(parts.clone(), body);
    let Perhaps(options): Perhaps<ExecStartConfig> = Perhaps::from_request(asked, &()).await?;
    let keys = engine.containers.exec_inspect(&id)?.detach_keys.unwrap_or_default();
    let exec = engine.containers.exec_begin(&id)?;
    if options.detach == Some(true) {
        exec.run(options).await?;
        return Ok(StatusCode::OK.into_response());
    }
    // Which shape the stream has is said by the start, as in docker; whether there is a terminal, by the exec.
    let framed = exec.tty() && options.tty != Some(true);
    let kind = hijack::content_type(exec.tty() && !framed, version);
    let detach = exec.tty().then(|| Detach::parse(&keys)).transpose()?;
    let stream = async move {
        let attached = exec.run(options).await.inspect_err(|error| tracing::error!("{}", error.message));
        let stream = attached.ok().flatten().map(|attached| attached.stream)?;
        if framed { frames::framed(stream).ok() } else { Some(stream) }
    };
    Ok(hijack::join(Request::from_parts(parts, Body::empty()), stream, kind, detach))
}

pub(crate) async fn resize(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    let (height, width) = params.size()?;
    engine.containers.exec_resize(&id, height, width).await?;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn inspect(State(engine): State<Engine>, Path(id): Path<String>) -> Reply {
    reply::complete(complete::exec(&engine.containers.exec_inspect(&id)?))
}
