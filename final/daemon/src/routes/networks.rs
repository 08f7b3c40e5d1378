//! `/networks`: networks, and which containers are on them.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use skiff_engine::Engine;
use skiff_engine::models::{NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest};

use crate::body::Asked;
use crate::params::Params;
use crate::reply::{Reply, created, json, nothing, pruned};

pub(crate) async fn list(State(engine): State<Engine>, params: Params) -> Reply {
    Ok(json(&engine.list_networks(&params.filters()?)?))
}

pub(crate) async fn create(State(engine): State<Engine>, Asked(request): Asked<NetworkCreateRequest>) -> Reply {
    Ok(created(&engine.create_network(request).await?))
}

pub(crate) async fn inspect(State(engine): State<Engine>, Path(name): Path<String>) -> Reply {
    Ok(json(&engine.inspect_network(&name)?))
}

pub(crate) async fn remove(State(engine): State<Engine>, Path(name): Path<String>) -> Reply {
    engine.remove_network(&name).await?;
    Ok(nothing())
}

pub(crate) async fn connect(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    Asked(request): Asked<NetworkConnectRequest>,
) -> Reply {
    engine.connect_network(&name, request).await?;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn disconnect(
    State(engine): State<Engine>,
    Path(name): Path<String>,
    Asked(request): Asked<NetworkDisconnectRequest>,
) -> Reply {
    engine.disconnect_network(&name, request).await?;
    Ok(StatusCode::OK.into_response())
}

pub(crate) async fn prune(State(engine): State<Engine>, params: Params) -> Reply {
    pruned(&engine.prune_networks(&params.filters()?).await?)
}
