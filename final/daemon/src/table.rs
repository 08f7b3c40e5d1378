//! The one table of routes: every path the daemon knows, without its version, and the function that answers it.
//!
//! What Docker has and we do not is in the table as well, because "not here, and why" helps a person more than 404.

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::routing::{any, delete, get, post, put};
use skiff_engine::Engine;

use crate::reply::message;
use crate::routes::{absent, containers, exec, images, networks, streams, system, volumes};

/// The whole API.
pub(crate) fn table(engine: Engine) -> Router {
    Router::new()
        .merge(system_routes())
        .merge(container_routes())
        .merge(image_routes())
        .merge(network_and_volume_routes())
        .merge(absent_routes())
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .with_state(engine)
}

fn system_routes() -> Router<Engine> {
    Router::new()
        .route("/_ping", get(system::ping))
        .route("/version", get(system::version))
        .route("/info", get(system::info))
        .route("/events", get(system::events))
        .route("/system/df", get(system::usage))
        .route("/auth", post(absent::auth))
}

fn container_routes() -> Router<Engine> {
    Router::new()
        .route("/containers/json", get(containers::list))
        .route("/containers/create", post(containers::create))
        .route("/containers/prune", post(containers::prune))
        .route("/containers/{id}", delete(containers::remove))
        .route("/containers/{id}/json", get(containers::inspect))
        .route("/containers/{id}/top", get(containers::top))
        .route("/containers/{id}/start", post(containers::start))
        .route("/containers/{id}/stop", post(containers::stop))
        .route("/containers/{id}/restart", post(containers::restart))
        .route("/containers/{id}/kill", post(containers::kill))
        .route("/containers/{id}/pause", post(containers::pause))
        .route("/containers/{id}/unpause", post(containers::unpause))
        .route("/containers/{id}/rename", post(containers::rename))
        .route("/containers/{id}/update", post(containers::update))
        .route("/containers/{id}/resize", post(streams::resize))
        .route("/containers/{id}/wait", post(containers::wait))
        .route("/containers/{id}/logs", get(streams::logs))
        .route("/containers/{id}/stats", get(streams::stats))
        .route("/containers/{id}/attach", post(streams::attach))
        .route("/containers/{id}/exec", post(exec::create))
        .route("/exec/{id}/start", post(exec::start))
        .route("/exec/{id}/resize", post(exec::resize))
        .route("/exec/{id}/json", get(exec::inspect))
}

/// An image's name may have slashes, so what follows it is found from the end of the path, in `routes/images.rs`.
fn image_routes() -> Router<Engine> {
    Router::new()
        .route("/images/json", get(images::list))
        .route("/images/create", post(images::create))
        .route("/images/load", post(images::load))
        .route("/images/get", get(images::save))
        .route("/images/prune", post(images::prune))
        .route("/images/search", get(absent::search))
        .route("/images/{*rest}", get(images::get).post(images::post).delete(images::remove))
}

fn network_and_volume_routes() -> Router<Engine> {
    Router::new()
        .route("/networks", get(networks::list))
        .route("/networks/create", post(networks::create))
        .route("/networks/prune", post(networks::prune))
        .route("/networks/{id}", get(networks::inspect).delete(networks::remove))
        .route("/networks/{id}/connect", post(networks::connect))
        .route("/networks/{id}/disconnect", post(networks::disconnect))
        .route("/volumes", get(volumes::list))
        .route("/volumes/create", post(volumes::create))
        .route("/volumes/prune", post(volumes::prune))
        .route("/volumes/{name}", get(volumes::inspect).delete(volumes::remove).put(absent::swarm))
}

/// What Docker has and we do not (yet).
fn absent_routes() -> Router<Engine> {
    let mut router = Router::new()
        .route("/plugins", get(absent::plugins))
        .route("/plugins/{*rest}", any(absent::plugin))
        .route("/build", post(absent::build))
        .route("/build/cancel", post(absent::build))
        .route("/build/prune", post(absent::prune_build_cache))
        .route("/commit", post(absent::commit))
        .route("/session", post(absent::session))
        .route("/grpc", post(absent::session))
        .route("/distribution/{*rest}", get(absent::distribution))
        .route("/containers/{id}/changes", get(absent::files))
        .route("/containers/{id}/export", get(absent::files))
        .route("/containers/{id}/archive", get(absent::files).merge(put(absent::files)))
        .route("/containers/{id}/attach/ws", get(absent::websocket))
        .route("/containers/{id}/checkpoints", any(absent::checkpoints))
        .route("/containers/{id}/checkpoints/{checkpoint}", any(absent::checkpoints));
    for swarm in ["swarm", "nodes", "services", "tasks", "secrets", "configs"] {
        router = router
            .route(&format!("/{swarm}"), any(absent::swarm))
            .route(&format!("/{swarm}/{{*rest}}"), any(absent::swarm));
    }
    router
}

/// Moby's words for a path or a method that it does not know.
async fn not_found() -> Response<Body> {
    message(StatusCode::NOT_FOUND, "page not found")
}
