//! The one table of the API: every operation of the specification, and the function that answers it.
//!
//! The router is made from it, the page "Compatibility" of the book is made from it, and a test compares it with the list of
//! operations of the specification. So none of the three can say something else than the others.
//!
//! What Docker has and we do not is in the table as well, because "not here, and why" helps a person more than 404.

use axum::Router;
use axum::body::Body;
use axum::handler::Handler;
use axum::http::{Method, Response, StatusCode};
use axum::routing::{MethodFilter, MethodRouter, delete, get, on, post};
use skiff_engine::Engine;

use crate::reply::message;
use crate::routes::{absent, archive, containers, exec, images, networks, registry, streams, system, volumes};

/// One operation of the API.
#[cfg_attr(not(test), expect(dead_code, reason = "the router needs path and answer, the book's page the rest"))]
pub(crate) struct Operation {
    pub(crate) method: Method,
    /// As the specification writes it: `/containers/{id}/json`.
    pub(crate) path: &'static str,
    /// What there is to say about it in the book.
    pub(crate) note: &'static str,
    /// Whether it does what the specification says.
    pub(crate) support: Support,
    /// `None` where names have slashes: those share a route, see [`names_with_slashes`].
    answer: Option<MethodRouter<Engine>>,
}

/// How much of an operation there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// All that a client can tell apart.
    Yes,
    /// It answers 501 or 503 and says why.
    No,
    /// Not in the specification: ours.
    Own,
}

fn here<H: Handler<T, Engine>, T: 'static>(method: &'static str, path: &'static str, handler: H) -> Operation {
    let (method, filter) = match method {
        "HEAD" => (Method::HEAD, MethodFilter::HEAD),
        "POST" => (Method::POST, MethodFilter::POST),
        "PUT" => (Method::PUT, MethodFilter::PUT),
        "DELETE" => (Method::DELETE, MethodFilter::DELETE),
        _ => (Method::GET, MethodFilter::GET),
    };
    Operation { method, path, note: "", support: Support::Yes, answer: Some(on(filter, handler)) }
}

fn absent<H: Handler<T, Engine>, T: 'static>(method: &'static str, path: &'static str, handler: H) -> Operation {
    Operation { support: Support::No, ..here(method, path, handler) }
}

fn own<H: Handler<T, Engine>, T: 'static>(method: &'static str, path: &'static str, handler: H) -> Operation {
    Operation { support: Support::Own, ..here(method, path, handler) }
}

fn swarm(method: &'static str, path: &'static str) -> Operation {
    absent(method, path, absent::swarm).note("Skiff has no swarm: 503, as a node that is in none.")
}

fn plugin(method: &'static str, path: &'static str) -> Operation {
    absent(method, path, absent::plugin).shared().note("Skiff has no plugins: 501.")
}

impl Operation {
    /// Answered by the route of [`names_with_slashes`].
    fn shared(self) -> Self {
        Self { answer: None, ..self }
    }

    fn note(self, note: &'static str) -> Self {
        Self { note, ..self }
    }
}

/// Everything, in the order of the specification.
pub(crate) fn operations() -> Vec<Operation> {
    let groups =
        [container_operations(), image_operations(), system_operations(), other_operations(), swarm_operations()];
    groups.into_iter().flatten().collect()
}

fn container_operations() -> Vec<Operation> {
    vec![
        here("GET", "/containers/json", containers::list),
        here("POST", "/containers/create", containers::create),
        here("GET", "/containers/{id}/json", containers::inspect),
        own("GET", "/containers/{id}/kernel", containers::kernel)
            .note("What the kernel says about a running container, chapter by chapter."),
        here("GET", "/containers/{id}/top", containers::top).note("Read from the host's /proc: no `ps` runs."),
        here("GET", "/containers/{id}/logs", streams::logs),
        here("GET", "/containers/{id}/changes", archive::changes),
        here("GET", "/containers/{id}/export", archive::export),
        here("GET", "/containers/{id}/stats", streams::stats),
        here("POST", "/containers/{id}/resize", streams::resize),
        here("POST", "/containers/{id}/start", containers::start).note(
            "With `explain=1`, which is ours, it answers how long each part took, and after the end what that took.",
        ),
        here("POST", "/containers/{id}/stop", containers::stop),
        here("POST", "/containers/{id}/restart", containers::restart),
        here("POST", "/containers/{id}/kill", containers::kill),
        here("POST", "/containers/{id}/update", containers::update),
        here("POST", "/containers/{id}/rename", containers::rename),
        here("POST", "/containers/{id}/pause", containers::pause),
        here("POST", "/containers/{id}/unpause", containers::unpause),
        here("POST", "/containers/{id}/attach", streams::attach),
        here("GET", "/containers/{id}/attach/ws", streams::attach_websocket),
        here("POST", "/containers/{id}/wait", containers::wait),
        here("DELETE", "/containers/{id}", containers::remove),
        here("HEAD", "/containers/{id}/archive", archive::stat),
        here("GET", "/containers/{id}/archive", archive::get),
        here("PUT", "/containers/{id}/archive", archive::put),
        here("POST", "/containers/prune", containers::prune),
        here("POST", "/containers/{id}/exec", exec::create),
        here("POST", "/exec/{id}/start", exec::start),
        here("POST", "/exec/{id}/resize", exec::resize),
        here("GET", "/exec/{id}/json", exec::inspect),
    ]
}

fn image_operations() -> Vec<Operation> {
    vec![
        here("GET", "/images/json", images::list),
        absent("POST", "/build", absent::build),
        here("POST", "/build/prune", absent::prune_build_cache),
        here("POST", "/images/create", images::create),
        here("GET", "/images/{name}/json", images::get).shared(),
        here("GET", "/images/{name}/history", images::get).shared(),
        here("POST", "/images/{name}/push", images::post).shared(),
        here("POST", "/images/{name}/tag", images::post).shared(),
        here("DELETE", "/images/{name}", images::remove).shared(),
        absent("GET", "/images/search", absent::search),
        here("POST", "/images/prune", images::prune),
        here("POST", "/commit", archive::commit),
        here("GET", "/images/{name}/get", images::get).shared(),
        here("GET", "/images/get", images::save),
        here("POST", "/images/load", images::load),
        here("GET", "/distribution/{name}/json", registry::distribution).shared(),
    ]
}

fn system_operations() -> Vec<Operation> {
    vec![
        here("POST", "/auth", registry::login),
        here("GET", "/info", system::info),
        here("GET", "/version", system::version),
        here("GET", "/_ping", system::ping),
        here("HEAD", "/_ping", system::ping),
        here("GET", "/events", system::events),
        here("GET", "/system/df", system::usage),
        own("POST", "/system/check", system::check)
            .note("Hashes every blob, compares every layer, removes what nobody needs."),
        own("GET", "/distribution/{name}/manifest", registry::distribution)
            .shared()
            .note("The manifest or index that a registry has, byte for byte."),
        absent("POST", "/session", absent::session).note("BuildKit's own protocol: 501."),
    ]
}

fn other_operations() -> Vec<Operation> {
    vec![
        here("GET", "/volumes", volumes::list),
        here("POST", "/volumes/create", volumes::create),
        here("GET", "/volumes/{name}", volumes::inspect),
        swarm("PUT", "/volumes/{name}"),
        here("DELETE", "/volumes/{name}", volumes::remove),
        here("POST", "/volumes/prune", volumes::prune),
        here("GET", "/networks", networks::list),
        here("GET", "/networks/{id}", networks::inspect),
        here("DELETE", "/networks/{id}", networks::remove),
        here("POST", "/networks/create", networks::create),
        here("POST", "/networks/{id}/connect", networks::connect),
        here("POST", "/networks/{id}/disconnect", networks::disconnect),
        here("POST", "/networks/prune", networks::prune),
        here("GET", "/plugins", absent::plugins).note("Always an empty list."),
        plugin("GET", "/plugins/privileges"),
        plugin("POST", "/plugins/pull"),
        plugin("GET", "/plugins/{name}/json"),
        plugin("DELETE", "/plugins/{name}"),
        plugin("POST", "/plugins/{name}/enable"),
        plugin("POST", "/plugins/{name}/disable"),
        plugin("POST", "/plugins/{name}/upgrade"),
        plugin("POST", "/plugins/create"),
        plugin("POST", "/plugins/{name}/push"),
        plugin("POST", "/plugins/{name}/set"),
    ]
}

fn swarm_operations() -> Vec<Operation> {
    let mut operations: Vec<_> = [
        ("GET", "/swarm"),
        ("POST", "/swarm/init"),
        ("POST", "/swarm/join"),
        ("POST", "/swarm/leave"),
        ("POST", "/swarm/update"),
        ("GET", "/swarm/unlockkey"),
        ("POST", "/swarm/unlock"),
        ("GET", "/nodes"),
        ("GET", "/nodes/{id}"),
        ("DELETE", "/nodes/{id}"),
        ("POST", "/nodes/{id}/update"),
        ("GET", "/services"),
        ("POST", "/services/create"),
        ("GET", "/services/{id}"),
        ("DELETE", "/services/{id}"),
        ("POST", "/services/{id}/update"),
        ("GET", "/services/{id}/logs"),
        ("GET", "/tasks"),
        ("GET", "/tasks/{id}"),
        ("GET", "/tasks/{id}/logs"),
    ]
    .map(|(method, path)| swarm(method, path))
    .into();
    for (list, create, one, update) in [
        ("/secrets", "/secrets/create", "/secrets/{id}", "/secrets/{id}/update"),
        ("/configs", "/configs/create", "/configs/{id}", "/configs/{id}/update"),
    ] {
        let methods = [("GET", list), ("POST", create), ("GET", one), ("DELETE", one), ("POST", update)];
        operations.extend(methods.map(|(method, path)| swarm(method, path)));
    }
    operations
}

/// The whole API as a router.
pub(crate) fn table(engine: Engine) -> Router {
    let answers = operations().into_iter().filter_map(|operation| Some((operation.path, operation.answer?)));
    let router = answers.fold(Router::new(), |router, (path, answer)| router.route(path, answer));
    router
        .merge(names_with_slashes())
        .merge(beyond_the_specification())
        .fallback(not_found)
        .method_not_allowed_fallback(not_found)
        .with_state(engine)
}

/// An image's name may have slashes, so what follows it is found from the end of the path, in the handlers.
fn names_with_slashes() -> Router<Engine> {
    Router::new()
        .route("/images/{*rest}", get(images::get).post(images::post).delete(images::remove))
        .route("/distribution/{*rest}", get(registry::distribution))
        .route("/plugins/{*rest}", get(absent::plugin).post(absent::plugin).delete(absent::plugin))
}

/// What moby's router has and its specification lacks.
fn beyond_the_specification() -> Router<Engine> {
    Router::new()
        .route("/networks/", get(networks::list))
        .route("/build/cancel", post(absent::build))
        .route("/grpc", post(absent::session))
        .route("/containers/{id}/{alias}", delete(containers::unlink))
        .route("/containers/{id}/checkpoints", get(absent::checkpoints).post(absent::checkpoints))
        .route("/containers/{id}/checkpoints/{checkpoint}", delete(absent::checkpoints))
}

/// Moby's words for a path or a method that it does not know. OPTIONS it answers everywhere, with nothing.
async fn not_found(method: Method) -> Response<Body> {
    if method == Method::OPTIONS {
        return Response::new(Body::empty());
    }
    message(StatusCode::NOT_FOUND, "page not found")
}

#[cfg(test)]
mod tests;
