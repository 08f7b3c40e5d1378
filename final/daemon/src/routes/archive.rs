//! A container's files: `cp` both ways, `diff`, `export`, `commit`.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use skiff_engine::containers::{CommitOptions, PathStat, PutOptions};
use skiff_engine::models::ContainerConfig;
use skiff_engine::{Engine, Error};

use crate::body::Perhaps;
use crate::params::Params;
use crate::reply::{Reply, created, json, typed};
use crate::transfer;

/// What is at a path, as JSON in base64 (docker: `X-Docker-Container-Path-Stat`). It is a header, so that the answer to
/// HEAD and the head of an archive can be the same.
const STAT: &str = "x-docker-container-path-stat";

pub(crate) async fn stat(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    let stat = engine.containers.stat_path(&id, path(&params)).await?;
    with_stat(StatusCode::OK.into_response(), &stat)
}

pub(crate) async fn get(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    let outgoing = engine.containers.get_archive(&id, path(&params)).await?;
    let stat = outgoing.stat.clone();
    with_stat(typed("application/x-tar", transfer::sent(move |writer| outgoing.write(writer))), &stat)
}

pub(crate) async fn put(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
    request: Request,
) -> Reply {
    let options = PutOptions {
        path: path(&params).to_owned(),
        keep_kinds: params.flag("noOverwriteDirNonDir"),
        to_user: params.flag("copyUIDGID"),
    };
    let (reader, received) = transfer::reader(request.into_body());
    let unpacked = engine.containers.put_archive(&id, options, reader).await;
    // Most clients read the answer only when they have sent everything.
    transfer::received(received).await;
    unpacked?;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn changes(State(engine): State<Engine>, Path(id): Path<String>) -> Reply {
    Ok(json(&engine.containers.changes(&id).await?))
}

pub(crate) async fn export(State(engine): State<Engine>, Path(id): Path<String>) -> Reply {
    let export = engine.containers.export(&id)?;
    Ok(typed("application/octet-stream", transfer::sent(move |writer| export.write(writer))))
}

/// The body may be a configuration; most clients send `null` or none.
pub(crate) async fn commit(
    State(engine): State<Engine>,
    params: Params,
    Perhaps(config): Perhaps<Option<ContainerConfig>>,
) -> Reply {
    let text = |name| params.text(name).unwrap_or_default().to_owned();
    let options = CommitOptions {
        container: params.required("container")?.to_owned(),
        repository: params.text("repo").map(str::to_owned),
        tag: params.text("tag").map(str::to_owned),
        author: text("author"),
        comment: text("comment"),
        pause: params.flag_or("pause", true),
        changes: params.all("changes"),
        config,
    };
    let id = engine.containers.commit(options).await?;
    Ok(created(&serde_json::json!({ "Id": id })))
}

fn path(params: &Params) -> &str {
    params.text("path").unwrap_or_default()
}

fn with_stat(mut response: Response<Body>, stat: &PathStat) -> Reply {
    let value = HeaderValue::from_str(&stat.encoded()).map_err(|error| Error::internal(error.to_string()))?;
    response.headers_mut().insert(STAT, value);
    Ok(response)
}
