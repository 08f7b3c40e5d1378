//! `/images`: list, pull, push, load, import, tag, remove.
//!
//! A name may have slashes (`127.0.0.1:5000/team/app:1`), so the table has one route for everything below `/images/`, and
//! what is asked of the image is found here, at the end of the path.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use futures_util::{Stream, StreamExt, stream};
use skiff_engine::images::{Import, Progress};
use skiff_engine::{Engine, Error};
use tokio::task::JoinHandle;

use super::registry::header as login;
use crate::params::Params;
use crate::reply::{Reply, json, lines, message, pruned, typed};
use crate::transfer;

pub(crate) async fn list(State(engine): State<Engine>, params: Params) -> Reply {
    Ok(json(&engine.list_images(&params.filters()?, params.flag("manifests"))?))
}

/// `GET /images/NAME/json`, `…/history`, `…/get`.
pub(crate) async fn get(State(engine): State<Engine>, Path(rest): Path<String>, params: Params) -> Reply {
    let platform = params.text("platform");
    match rest.rsplit_once('/') {
        Some((name, "json")) => Ok(json(&engine.inspect_image(name, platform, params.flag("manifests"))?)),
        Some((name, "history")) => Ok(json(&engine.image_history(name, platform)?)),
        Some((name, "get")) => archive(&engine, vec![name.to_owned()], platform),
        _ => Ok(message(StatusCode::NOT_FOUND, "page not found")),
    }
}

/// `GET /images/get?names=A&names=B`.
pub(crate) async fn save(State(engine): State<Engine>, params: Params) -> Reply {
    let names = params.all("names");
    if names.is_empty() {
        return Err(Error::invalid("the query parameter \"names\" is missing: which images?").into());
    }
    archive(&engine, names, one_platform(&params)?)
}

/// `POST /images/NAME/tag`, `…/push`.
pub(crate) async fn post(
    State(engine): State<Engine>,
    Path(rest): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Reply {
    match rest.rsplit_once('/') {
        Some((name, "tag")) => {
            engine.tag_image(name, params.required("repo")?, params.text("tag")).await?;
            Ok(StatusCode::CREATED.into_response())
        }
        Some((name, "push")) => {
            progress(engine.push_image(name, params.text("tag"), params.text("platform"), login(&headers))?).await
        }
        _ => Ok(message(StatusCode::NOT_FOUND, "page not found")),
    }
}

/// `DELETE /images/NAME`.
pub(crate) async fn remove(State(engine): State<Engine>, Path(name): Path<String>, params: Params) -> Reply {
    if name.trim().is_empty() {
        return Err(Error::invalid("image name cannot be blank").into());
    }
    Ok(json(&engine.remove_image(&name, params.flag("force")).await?))
}

pub(crate) async fn prune(State(engine): State<Engine>, params: Params) -> Reply {
    pruned(&engine.prune_images(&params.filters()?).await?)
}

/// `POST /images/create`: a pull when there is `fromImage`, an import when there is `fromSrc`.
pub(crate) async fn create(
    State(engine): State<Engine>,
    params: Params,
    headers: HeaderMap,
    request: Request,
) -> Reply {
    if let Some(source) = params.text("fromSrc") {
        if source != "-" {
            return Err(Error::unsupported(format!("import from {source}: skiffd does not fetch URLs"))
                .hint("Fetch it yourself: curl URL | docker import - NAME")
                .into());
        }
        let import = Import {
            repository: params.text("repo").map(str::to_owned),
            tag: params.text("tag").map(str::to_owned),
            message: params.text("message").map(str::to_owned),
            changes: params.all("changes"),
        };
        let (reader, received) = transfer::reader(request.into_body());
        return uploaded(engine.import_image(reader, import), received).await;
    }
    let (name, tag) = (params.required("fromImage")?, params.text("tag"));
    let pull = engine.pull_image(name, tag, params.text("platform"), login(&headers))?;
    progress(pull).await
}

/// `POST /images/load`: a tar archive of `docker save`, or of an OCI layout. What is wrong with it is said in the stream, as
/// docker does: docker-py looks for it there.
pub(crate) async fn load(State(engine): State<Engine>, params: Params, request: Request) -> Reply {
    let platform = one_platform(&params)?.map(str::to_owned);
    let (reader, received) = transfer::reader(request.into_body());
    let steps = engine.load_images(reader, platform);
    uploaded(steps.map(|step| Ok(step.unwrap_or_else(|error| Progress::failed(&error)))), received).await
}

/// [`progress`] of something that is read from the request: it ends when the request has.
async fn uploaded(
    steps: impl Stream<Item = Result<Progress, Error>> + Send + 'static,
    received: JoinHandle<()>,
) -> Reply {
    let mut steps = Box::pin(steps);
    let first = match steps.next().await.transpose() {
        Ok(first) => first,
        Err(error) => {
            drop(steps);
            transfer::received(received).await;
            return Err(error.into());
        }
    };
    let end = stream::once(transfer::received(received)).filter_map(|()| std::future::ready(None));
    progress(stream::iter(first).map(Ok).chain(steps).chain(end)).await
}

/// An archive for several platforms at once would need the same image for each of them, and the store has one.
fn one_platform(params: &Params) -> Result<Option<&str>, Error> {
    match params.all("platform").len() {
        0 | 1 => Ok(params.text("platform")),
        _ => Err(Error::invalid("multiple platform parameters not supported")
            .hint("Ask for one platform at a time: an image is kept for one kind of machine here.")),
    }
}

fn archive(engine: &Engine, names: Vec<String>, platform: Option<&str>) -> Reply {
    let archive = engine.save_images(names, platform)?;
    Ok(typed("application/x-tar", transfer::sent(move |writer| archive.write(writer))))
}

/// Progress, a line each, as it happens. What fails before the first line has a status of its own; after it the status has
/// been sent, and the error is a line as well.
async fn progress(steps: impl Stream<Item = Result<Progress, Error>> + Send + 'static) -> Reply {
    let mut steps = Box::pin(steps);
    let first = steps.next().await.transpose()?;
    let rest = steps.map(|step| step.unwrap_or_else(|error| Progress::failed(&error)));
    Ok(lines(stream::iter(first).chain(rest)))
}
