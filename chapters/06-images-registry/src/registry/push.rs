//! `docker push`: an image of the store becomes one of a registry (distribution specification, "Pushing blobs
//! monolithically").
//!
//! ```text
//! for each layer, and the configuration:
//!   HEAD blobs/sha256:…                       200: it is there already
//!   POST blobs/uploads/?mount=sha256:…&from=… 201: taken over from another repository of the registry
//!                                             202: Location says where to send it
//!   PUT  that address?digest=sha256:…         201
//! and then, since now everything is there that it refers to:
//!   PUT  manifests/TAG                        201
//! ```
//!
//! The blobs go as they are in the store: an image that was pulled goes back byte for byte, under the same digest.
//! Layers that were loaded from `docker save` are not compressed, and so are not compressed in the registry either.

use std::io::{self, Read};

use namespaces::Failure;
use unionfs::Digest;
use ureq::http::{Method, Response, StatusCode};

use super::client::{Action, Client};
use super::endpoint::Endpoint;
use super::transport::{Ask, Payload, join};
use super::{Credentials, RegistryOptions};
use crate::error::{Error, Kind, Result};
use crate::image::{Event, Image, Progress};
use crate::manifest::{Descriptor, MANIFEST_LIMIT};
use crate::meter::Meter;
use crate::parallel::in_parallel;
use crate::reference::Reference;
use crate::store::Store;

/// Layers that are sent at a time.
const THREADS: usize = 3;

/// Sends the image that has the name `name` to the registry in the name. Returns the digest that it has there, under
/// which the store knows it from now on too.
///
/// # Errors
/// [`Kind::NotFound`] when there is no image of this name; [`Kind::Denied`] when the registry wants to know who we are;
/// [`Kind::Unavailable`] when it does not answer.
/// ```no_run
/// use images::{Credentials, Reference, RegistryOptions, Store, push};
/// let store = Store::open(std::path::Path::new("/var/lib/skiff"))?;
/// let name: Reference = "ghcr.io/team/app:v1".parse()?;
/// store.tag(&store.resolve("app")?.id, &name)?;
/// let login = Credentials { username: "me".into(), password: "a token".into() };
/// let digest = push(&store, &name, Some(&login), &RegistryOptions::default(), &|event| println!("{event}"))?;
/// println!("ghcr.io/team/app@{digest}");
/// # Ok::<(), images::Error>(())
/// ```
pub fn push(
    store: &Store,
    name: &Reference,
    credentials: Option<&Credentials>,
    options: &RegistryOptions,
    progress: Progress<'_>,
) -> Result<Digest> {
    let name = name.clone().or_latest();
    let image = store.resolve(&name.to_string())?;
    // Mirrors are for reading: the last endpoint is the registry itself.
    let endpoint = Endpoint::of(name.domain(), options)?.pop();
    let endpoint =
        endpoint.ok_or_else(|| Error::new(Kind::Unavailable, Failure::new("push", "there is no registry")))?;
    let client = Client::new(endpoint, &name, credentials, Action::Push);
    progress(Event::plain(format!("The push refers to repository [{}]", name.repository())));
    Push { store, client: &client, name: &name, image: &image, progress }.run()
}

/// One push under way.
struct Push<'a> {
    /// Where from.
    store: &'a Store,
    /// Where to.
    client: &'a Client<'a>,
    /// As it was asked for, with a tag.
    name: &'a Reference,
    /// What is sent.
    image: &'a Image,
    /// Who is told.
    progress: Progress<'a>,
}

impl Push<'_> {
    /// The manifest goes last: a registry refuses one that refers to what it does not have.
    fn run(&self) -> Result<Digest> {
        let known = self.store.known(&self.image.id)?;
        let layers = known.manifest.layers.clone();
        for layer in &layers {
            self.tell(layer, "Preparing");
        }
        for layer in layers.iter().skip(THREADS) {
            self.tell(layer, "Waiting");
        }
        in_parallel(THREADS, layers, |layer| {
            let done = self.blob(&layer, true)?;
            self.tell(&layer, &done);
            Ok(())
        })?;
        self.blob(&known.manifest.config, false)?;
        let manifest = &known.entry.manifest;
        self.manifest(manifest)?;
        let tag = self.name.tag().unwrap_or("latest");
        (self.progress)(Event::plain(format!("{tag}: digest: {} size: {}", manifest.digest, manifest.size)));
        self.store.add(manifest, &[self.name.with_digest(manifest.digest)])?;
        Ok(manifest.digest)
    }

    /// Sees to it that the registry has a blob; says how, in docker's words.
    fn blob(&self, blob: &Descriptor, told: bool) -> Result<String> {
        let head = self.ask(Method::HEAD, self.client.url(&format!("blobs/{}", blob.digest)), Vec::new(), None)?;
        if head.status() == StatusCode::OK {
            return Ok("Layer already exists".to_owned());
        }
        let other = self.elsewhere();
        let mount = other.map(|from| format!("?mount={}&from={}", blob.digest, from.path()));
        let url = self.client.url(&format!("blobs/uploads/{}", mount.unwrap_or_default()));
        let nothing = Payload { length: 0, open: &|| Ok(Box::new(io::empty())) };
        let mut response = self.ask(Method::POST, url.clone(), Vec::new(), Some(nothing))?;
        match response.status() {
            StatusCode::CREATED => {
                return Ok(format!("Mounted from {}", other.map(|from| from.path().to_owned()).unwrap_or_default()));
            }
            StatusCode::ACCEPTED => {}
            _ => return Err(self.client.refusal(&mut response)),
        }
        let place = location(&response, &url).ok_or_else(|| self.puzzled("it does not say where to send the blob"))?;
        self.client.endpoint.allow(&place)?;
        self.upload(blob, &place, told)?;
        Ok("Pushed".to_owned())
    }

    /// Sends a blob in one piece.
    fn upload(&self, blob: &Descriptor, place: &str, told: bool) -> Result<()> {
        let separator = if place.contains('?') { '&' } else { '?' };
        let url = format!("{place}{separator}digest={}", blob.digest);
        let id = blob.digest.short();
        let open = || -> Result<Box<dyn Read + '_>> {
            let file = self.store.blobs.open_blob(&blob.digest)?;
            Ok(if told { Box::new(Meter::new(file, &id, "Pushing", blob.size, self.progress)) } else { Box::new(file) })
        };
        let headers = vec![("content-type", "application/octet-stream".to_owned())];
        let payload = Payload { length: blob.size, open: &open };
        let mut response = self.ask(Method::PUT, url, headers, Some(payload))?;
        match response.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(self.client.refusal(&mut response)),
        }
    }

    /// The same bytes as in the store, or the digest would be another.
    fn manifest(&self, manifest: &Descriptor) -> Result<()> {
        let bytes = self.store.blobs.read(&manifest.digest, MANIFEST_LIMIT)?;
        let url = self.client.url(&format!("manifests/{}", self.name.tag().unwrap_or("latest")));
        let headers = vec![("content-type", manifest.media_type.clone())];
        let payload = Payload { length: manifest.size, open: &|| Ok(Box::new(bytes.as_slice())) };
        let mut response = self.ask(Method::PUT, url, headers, Some(payload))?;
        match response.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(self.client.refusal(&mut response)),
        }
    }

    /// Another repository of the same registry that has this image, and so its blobs: they can be taken over from
    /// there.
    fn elsewhere(&self) -> Option<&Reference> {
        let here = |other: &&Reference| other.domain() == self.name.domain() && other.path() != self.name.path();
        self.image.repo_digests.iter().find(here)
    }

    /// A request; see [`Client::send`] for what is tried.
    fn ask(
        &self,
        method: Method,
        url: String,
        headers: Vec<(&'static str, String)>,
        body: Option<Payload<'_>>,
    ) -> Result<Response<ureq::Body>> {
        self.client.send(&Ask { method, url, headers, body })
    }

    /// An answer that the specification does not have.
    fn puzzled(&self, why: &str) -> Error {
        Error::new(Kind::Unavailable, Failure::new("push to the registry", why).on(self.name.familiar()))
    }

    fn tell(&self, blob: &Descriptor, status: &str) {
        (self.progress)(Event::of(&blob.digest.short(), status));
    }
}

/// Where the answer sends us.
fn location(response: &Response<ureq::Body>, from: &str) -> Option<String> {
    Some(join(from, response.headers().get("location")?.to_str().ok()?))
}
