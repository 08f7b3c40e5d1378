//! `/volumes`: named volumes.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use skiff_engine::Engine;
use skiff_engine::models::VolumeCreateOptions;

use crate::body::Perhaps;
use crate::params::Params;
use crate::reply::{Reply, created, json, nothing};
use crate::versions::Version;

pub(crate) async fn list(State(engine): State<Engine>, params: Params) -> Reply {
    Ok(json(&engine.list_volumes(params.filters()?).await?))
}

pub(crate) async fn create(State(engine): State<Engine>, Perhaps(options): Perhaps<VolumeCreateOptions>) -> Reply {
    Ok(created(&engine.create_volume(options).await?))
}

pub(crate) async fn inspect(State(engine): State<Engine>, Path(name): Path<String>) -> Reply {
    Ok(json(&engine.inspect_volume(name).await?))
}

pub(crate) async fn remove(State(engine): State<Engine>, Path(name): Path<String>, params: Params) -> Reply {
    engine.remove_volume(name, params.flag("force")).await?;
    Ok(nothing())
}

/// Before version 1.42 named volumes were pruned as well.
pub(crate) async fn prune(
    State(engine): State<Engine>,
    Extension(version): Extension<Version>,
    params: Params,
) -> Reply<Response<Body>> {
    Ok(json(&engine.prune_volumes(params.filters()?, version < Version(1, 42)).await?))
}
