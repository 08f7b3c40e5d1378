//! Connections: accept, read a request, find its handler, log it, and stop in order.
//!
//! The path of a request is kept short because `skiff run` makes five of them: hyper, the table of routes, the handler.
//! No layer of middleware is in between; what every answer needs is done in [`answer`].

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use futures_util::FutureExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::Service;

use crate::listener::{Accepted, Socket};
use crate::reply::{Refused, message};
use crate::versions;

/// How long a stopping daemon waits for requests that are being answered. Streams (`logs -f`) have no end of their own.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the head of a request may take, and a connection be without one (docker: `ReadHeaderTimeout`). Who sends it letter by
/// letter would otherwise keep a descriptor for ever. What comes after the head may take its time: an archive, a terminal.
const HEAD: Duration = Duration::from_mins(5);

/// Serves `router` on `socket` until `stop` turns true.
pub(crate) async fn serve(socket: Socket, router: Router, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok(accepted) => {
                    connections.spawn(connection(accepted, router.clone(), stop.clone()));
                }
                // Out of descriptors or memory: the next moment may be better, and a loop without a pause helps nobody.
                Err(error) => {
                    tracing::error!("cannot accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            // Reaping here keeps the set from growing.
            Some(_) = connections.join_next() => {}
            () = asked(&mut stop) => break,
        }
    }
    // Nobody finds us any more.
    drop(socket);
    let _ = tokio::time::timeout(PATIENCE, async { while connections.join_next().await.is_some() {} }).await;
}

/// One connection: requests one after the other, until the client goes, an upgrade takes the socket away, or the daemon stops.
async fn connection(accepted: Accepted, router: Router, mut stop: watch::Receiver<bool>) {
    let stream = match accepted.ready().await {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!("a client could not agree on keys: {error}"),
    };
    let service = service_fn(move |request| answer(router.clone(), request));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let connection = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    let result = tokio::select! {
        result = &mut connection => result,
        () = asked(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // A client that hangs up in the middle of `logs -f` is no error of ours.
    if let Err(error) = result {
        tracing::debug!("connection: {error}");
    }
}

/// Waits until the daemon is asked to stop.
async fn asked(stop: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, which comes to the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// One request. Never fails: whatever goes wrong becomes an answer.
async fn answer(mut router: Router, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let began = Instant::now();
    let log = tracing::enabled!(tracing::Level::DEBUG).then(|| (request.method().clone(), request.uri().clone()));
    let mut response = match versions::negotiate(request.uri_mut()) {
        Err(error) => Refused(error).into_response(),
        Ok(version) => {
            request.extensions_mut().insert(version);
            let handled = AssertUnwindSafe(router.call(request)).catch_unwind().await;
            handled.map_or_else(
                |_| {
                    message(StatusCode::INTERNAL_SERVER_ERROR, "the daemon has a bug: see its log for where it gave up")
                },
                |Ok(response)| response,
            )
        }
    };
    identify(response.headers_mut());
    if let Some((method, uri)) = log {
        let (status, took) = (response.status().as_u16(), began.elapsed().as_micros());
        tracing::debug!(container = container(uri.path()), status, "{method} {uri} took {took} µs");
    }
    Ok(response)
}

/// The headers by which clients know what they speak to.
fn identify(headers: &mut HeaderMap) {
    headers.insert("api-version", HeaderValue::from_static("1.51"));
    headers.insert("docker-experimental", HeaderValue::from_static("false"));
    headers.insert("ostype", HeaderValue::from_static("linux"));
    headers.insert(header::SERVER, HeaderValue::from_static(concat!("Skiff/", env!("CARGO_PKG_VERSION"), " (linux)")));
}

/// The container that a path is about, for the log.
fn container(path: &str) -> Option<&str> {
    let mut parts = path.split('/').skip_while(|part| *part != "containers").skip(1);
    parts.next().filter(|part| !matches!(*part, "json" | "create" | "prune"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_the_newest_version() {
        let mut headers = HeaderMap::new();
        identify(&mut headers);
        assert_eq!(headers.get("api-version").unwrap().to_str().unwrap(), versions::Version::NEWEST.to_string());
    }

    #[test]
    fn the_log_names_the_container() {
        let names = ["/v1.44/containers/web/start", "/containers/json", "/info", "/containers"].map(container);
        assert_eq!(names, [Some("web"), None, None, None]);
    }
}
