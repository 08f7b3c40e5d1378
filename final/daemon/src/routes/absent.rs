//! What Docker has and this engine has not: each answer says so by name, with the status that makes clients carry on.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use skiff_engine::Error;

use crate::reply::{Reply, json, message};

/// Moby's sentence for a node that is not in a swarm; clients test for its status, 503.
pub(crate) async fn swarm() -> Response<Body> {
    message(
        StatusCode::SERVICE_UNAVAILABLE,
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm \
         and try again.\nSkiff has no swarm.",
    )
}

/// No plugins.
pub(crate) async fn plugins() -> Response<Body> {
    json(&[(); 0])
}

/// Anything else about plugins.
pub(crate) async fn plugin() -> Reply {
    refuse("plugins", "Volumes and networks have the drivers that `docker info` lists.")
}

/// Docker Hub's search.
pub(crate) async fn search() -> Reply {
    refuse(
        "searching a registry",
        "Look for images on the registry's own page, then `pull` by name; `manifest inspect NAME` asks a registry about one.",
    )
}

/// The classic builder.
pub(crate) async fn build() -> Reply {
    refuse("building images", "Build elsewhere, then `docker save IMAGE | docker load` into this daemon.")
}

/// `docker system prune` asks this as well, and nothing is a good answer: there is no cache.
pub(crate) async fn prune_build_cache() -> Response<Body> {
    json(&serde_json::json!({ "CachesDeleted": null, "SpaceReclaimed": 0 }))
}

/// BuildKit's own protocol.
pub(crate) async fn session() -> Reply {
    refuse("BuildKit's session", "Build elsewhere, then `docker save IMAGE | docker load` into this daemon.")
}

/// Checkpoint and restore.
pub(crate) async fn checkpoints() -> Reply {
    refuse("checkpoints", "")
}

fn refuse(what: &str, instead: &str) -> Reply {
    let error = Error::unsupported(format!("{what}: not supported by skiffd yet"));
    Err(if instead.is_empty() { error } else { error.hint(instead) }.into())
}
