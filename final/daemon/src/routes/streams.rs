//! The streams of a container: attach, logs, stats.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use skiff_engine::containers::{AttachOptions, LogsOptions};
use skiff_engine::{Engine, Error};

use crate::detach::Detach;
use crate::params::Params;
use crate::reply::{Reply, json, lines, typed};
use crate::versions::Version;
use crate::websocket::Input;
use crate::{hijack, websocket};

/// The connection becomes the container's streams, in both directions.
pub(crate) async fn attach(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
    Extension(version): Extension<Version>,
    request: Request,
) -> Reply {
    let options = AttachOptions {
        stdin: params.flag("stdin"),
        stdout: params.flag("stdout"),
        stderr: params.flag("stderr"),
        stream: params.flag("stream"),
        logs: params.flag("logs"),
    };
    let detach = Detach::parse(params.text("detachKeys").unwrap_or_default())?;
    let attached = engine.containers.attach(&id, options).await?;
    let kind = hijack::content_type(attached.tty, version);
    // Without a terminal there is nobody at the keys, and a file on standard input may well have such bytes in it.
    let detach = (attached.tty && options.stdin).then_some(detach);
    Ok(hijack::join(request, ready(Some(attached.stream)), kind, detach))
}

/// The same over a web socket.
pub(crate) async fn attach_websocket(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
    Extension(version): Extension<Version>,
    handshake: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Reply {
    let handshake = match handshake {
        Ok(handshake) => handshake,
        Err(refused) => {
            // A container that is not there is the better reason.
            engine.containers.inspect(&id, false).await?;
            return Err(Error::invalid(format!("bad web socket handshake: {refused}"))
                .hint("Connect with a client for web sockets, or use POST /containers/ID/attach.")
                .into());
        }
    };
    // Clients from before 1.42 get every stream, whatever they say.
    let wants = |stream| version < Version(1, 42) || params.flag(stream);
    let options = AttachOptions {
        stdin: wants("stdin"),
        stdout: wants("stdout"),
        stderr: wants("stderr"),
        stream: params.flag("stream"),
        logs: params.flag("logs"),
    };
    let detach = Detach::parse(params.text("detachKeys").unwrap_or_default())?;
    let attached = engine.containers.attach(&id, options).await?;
    let input = Input { wanted: options.stdin, detach: attached.tty.then_some(detach) };
    Ok(handshake.on_upgrade(move |socket| websocket::relay(socket, attached, input, version)))
}

/// The log so far, and with `follow` what comes, in frames unless it is a terminal's.
pub(crate) async fn logs(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    params: Params,
    Extension(version): Extension<Version>,
) -> Reply {
    let options = LogsOptions {
        follow: params.flag("follow"),
        stdout: params.flag("stdout"),
        stderr: params.flag("stderr"),
        since: params.moment("since")?,
        // Clients whose options are numbers write 0 for none, and so does docker's own.
        until: params.moment("until")?.filter(|until| *until != Timestamp::UNIX_EPOCH),
        timestamps: params.flag("timestamps"),
        details: params.flag("details"),
        // `all`, and whatever else is no number, as docker does.
        tail: params.text("tail").and_then(|tail| tail.parse().ok()),
    };
    if !(options.stdout || options.stderr) {
        return Err(Error::invalid("Bad parameters: you must choose at least one stream").into());
    }
    let logs = engine.containers.logs(&id, options)?;
    let body = Body::from_stream(logs.stream.map(Ok::<_, Infallible>));
    Ok(typed(hijack::content_type(logs.tty, version), body))
}

/// A sample every second. With `stream=false` one that has another before it, so that a client can compute rates; with
/// `one-shot` as well, one by itself and at once.
pub(crate) async fn stats(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    let first = engine.containers.stats(&id, None).await?;
    let samples = stream::unfold((engine, id, first.clone()), |(engine, id, before)| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        // The container is gone: so is the stream.
        let sample = engine.containers.stats(&id, Some(&before)).await.ok()?;
        Some((sample.clone(), (engine, id, sample)))
    });
    Ok(match (params.flag_or("stream", true), params.flag("one-shot")) {
        (true, _) => lines(stream::iter([first]).chain(samples)),
        (false, false) => lines(samples.take(1)),
        (false, true) => json(&first),
    })
}

/// The client's terminal has changed its size.
pub(crate) async fn resize(State(engine): State<Engine>, Path(id): Path<String>, params: Params) -> Reply {
    let (height, width) = params.size()?;
    engine.containers.resize(&id, height, width).await?;
    Ok(StatusCode::OK.into_response())
}
