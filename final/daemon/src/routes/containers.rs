//! `/containers`: from create to remove. What streams (`logs`, `stats`, `attach`) is in `streams.rs`.

use std::convert::Infallible;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use futures_util::{StreamExt as _, stream};
use skiff_engine::containers::{Condition, ListOptions, Update};
use skiff_engine::models::ContainerCreateBody;
use skiff_engine::{Engine, Error};

use crate::body::{Asked, collect};
use crate::params::Params;
use crate::reply::{Reply, bytes_of, created, json, lines, nothing, pruned, typed};
use crate::versions::Version;
use crate::{complete, reply};

pub(crate) async fn list(State(engine): State<Engine>, params: Params) -> Reply {
    let options = ListOptions {
        all: params.flag("all"),
        // docker-py writes -1 for all.
        limit: params.number::<i64>("limit")?.and_then(|limit| usize::try_from(limit).ok()),
        size: params.flag("size"),
        filters: params.filters()?,
    };
    Ok(json(&engine.containers.list(&options).await?))
}

pub(crate) async fn inspect(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    reply::complete(complete::container(&engine.containers.inspect(&id, params.flag("size")).await?))
}

/// Ours ([`skiff_engine::containers::KernelView`]).
pub(crate) async fn kernel(State(engine): State<Engine>, Path(id): Path<String>) -> Reply {
    Ok(json(&engine.containers.kernel(&id).await?))
}

pub(crate) async fn top(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    Ok(json(&engine.containers.top(&id, params.text("ps_args").unwrap_or_default()).await?))
}

pub(crate) async fn create(
    State(engine): State<Engine>,
    params: Params,
    Extension(version): Extension<Version>,
    Asked(body): Asked<ContainerCreateBody>,
) -> Reply {
    let networks = body.networking_config.as_ref().and_then(|config| config.endpoints_config.as_ref());
    // Clients of that time connect one by one, and take the first of several for the only one.
    if let Some(networks) = networks.filter(|all| version < Version(1, 44) && all.len() > 1) {
        let mut names: Vec<_> = networks.keys().map(String::as_str).collect();
        names.sort_unstable();
        let names = names.join(", ");
        return Err(Error::invalid(format!("Container cannot be connected to network endpoints: {names}")).into());
    }
    Ok(created(&engine.containers.create(params.text("name"), params.text("platform"), body).await?))
}

/// `explain` is ours: the answer is then 200 and a line of JSON with the measured parts of the start, and when the container
/// has ended another one with those of its end ([`skiff_engine::containers::Part`]).
///
/// A body is what clients before version 1.24 sent: another configuration, which is no longer heard.
pub(crate) async fn start(State(engine): State<Engine>, Path(id): Path<String>, params: Params, body: Body) -> Reply {
    // `{}` and `null` are what some clients make of nothing.
    if collect(body).await?.len() > 7 {
        let words =
            "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24";
        return Err(Error::invalid(words).into());
    }
    if params.flag("explain") {
        let (begun, ended) = engine.containers.start_explained(&id).await?;
        return Ok(lines(stream::once(async { begun }).chain(stream::once(ended))));
    }
    engine.containers.start(&id).await?;
    Ok(nothing())
}

/// `t` is the number of seconds to wait before the container is killed; negative ones wait for ever.
pub(crate) async fn stop(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    engine.containers.stop(&id, params.text("signal"), params.number("t")?).await?;
    Ok(nothing())
}

pub(crate) async fn restart(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    engine.containers.restart(&id, params.text("signal"), params.number("t")?).await?;
    Ok(nothing())
}

pub(crate) async fn kill(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    engine.containers.kill(&id, params.text("signal")).await?;
    Ok(nothing())
}

pub(crate) async fn pause(State(engine): State<Engine>, Path(id): Path<String>) -> Reply {
    engine.containers.pause(&id).await?;
    Ok(nothing())
}

pub(crate) async fn unpause(State(engine): State<Engine>, Path(id): Path<String>) -> Reply {
    engine.containers.unpause(&id).await?;
    Ok(nothing())
}

pub(crate) async fn rename(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    engine.containers.rename(&id, params.required("name")?).await?;
    Ok(nothing())
}

pub(crate) async fn update(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Asked(update): Asked<Update>,
) -> Reply {
    Ok(json(&engine.containers.update(&id, update).await?))
}

/// `rm --link NAME/ALIAS`: the link goes, both containers stay.
pub(crate) async fn unlink(
    State(engine): State<Engine>,
    Path((id, alias)): Path<(String, String)>,
    params: Params,
) -> Reply {
    if !params.flag("link") {
        return Err(Error::not_found(format!("No such container: {id}/{alias}")).into());
    }
    engine.containers.unlink(&id, &alias).await?;
    Ok(nothing())
}

/// The head of the answer goes out at once and the body when the condition is met: `docker run` waits first and starts when
/// it has seen the head.
pub(crate) async fn wait(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    let condition = Condition::parse(params.text("condition").unwrap_or_default())?;
    let ended = engine.containers.wait(&id, condition)?;
    let body = stream::once(async move { Ok::<_, Infallible>(bytes_of(&ended.await)) });
    Ok(typed("application/json", Body::from_stream(body)))
}

/// `v` removes its anonymous volumes as well.
pub(crate) async fn remove(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    engine.containers.remove(&id, params.flag("force"), params.flag("v")).await?;
    Ok(nothing())
}

pub(crate) async fn prune(State(engine): State<Engine>, params: Params) -> Reply {
    pruned(&engine.containers.prune(&params.filters()?).await?)
}
