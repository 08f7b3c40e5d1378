//! `docker push`: an image of the store becomes one of a registry (distribution specification, "Pushing blobs
//! monolithically").
//!
//! ```text
//! for each layer, and the configuration:
//!   HEAD blobs/sha256:…                       200: it is there already
//!   POST blobs/uploads/?mount=sha256:…&from=… 201: taken over from another repository of the registry
//!                                             202: Location says where to send it (upload.rs)
//! and then, since now everything is there that it refers to:
//!   PUT  manifests/TAG                        201
//! ```
//!
//! The blobs go as they are in the store: an image that was pulled goes back byte for byte, under the same digest.
//! Layers that were loaded from `docker save` are not compressed, and so are not compressed in the registry either.

use std::collections::HashSet;
use std::io;

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
use crate::parallel::in_parallel;
use crate::reference::Reference;
use crate::store::Store;

/// Layers that are sent at a time.
const THREADS: usize = 3;

/// Sends the image that has the name `name` to the registry in the name. Returns type, digest and size of its manifest;
/// the store knows the image by that digest from now on too.
///
/// # Errors
/// [`Kind::NotFound`] when there is no image of this name; [`Kind::Denied`] when the registry wants to know who we are;
/// [`Kind::Unavailable`] when it does not answer.
/// ```no_run
/// use images::{Credentials, Reference, RegistryOptions, Store, push};
/// let store = Store::open(std::path::Path::new("/var/lib/skiff"))?;
/// let name: Reference = "ghcr.io/team/app:v1".parse()?;
/// store.tag(&store.resolve("app")?.id, &name)?;
/// let login = Credentials::new("me", "a token");
/// let sent = push(&store, &name, Some(&login), &RegistryOptions::default(), &|event| println!("{event}"))?;
/// println!("ghcr.io/team/app@{}", sent.digest);
/// # Ok::<(), images::Error>(())
/// ```
pub fn push(
    store: &Store,
    name: &Reference,
    credentials: Option<&Credentials>,
    options: &RegistryOptions,
    progress: Progress<'_>,
) -> Result<Descriptor> {
    let name = name.clone().or_latest();
    let image = store.resolve(&name.to_string())?;
    let client = Client::new(Endpoint::direct(name.domain(), options)?, &name, credentials, Action::Push);
    progress(Event::plain(format!("The push refers to repository [{}]", name.repository())));
    Push { store, client: &client, name: &name, image: &image, progress }.run()
}

/// One push under way.
pub(super) struct Push<'a> {
    /// Where from.
    pub(super) store: &'a Store,
    /// Where to.
    pub(super) client: &'a Client<'a>,
    /// As it was asked for, with a tag.
    name: &'a Reference,
    /// What is sent.
    image: &'a Image,
    /// Who is told.
    pub(super) progress: Progress<'a>,
}

impl Push<'_> {
    /// The manifest goes last: a registry refuses one that refers to what it does not have.
    fn run(&self) -> Result<Descriptor> {
        let known = self.store.known(&self.image.id)?;
        // An image may have the same layer twice, most often the empty one.
        let mut seen = HashSet::new();
        let layers: Vec<_> = known.manifest.layers.iter().filter(|layer| seen.insert(layer.digest)).cloned().collect();
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
        Ok(manifest.clone())
    }

    /// Sees to it that the registry has a blob; says how, in docker's words.
    fn blob(&self, blob: &Descriptor, told: bool) -> Result<String> {
        let head = self.ask(Method::HEAD, self.client.url(&format!("blobs/{}", blob.digest)))?;
        if head.status() == StatusCode::OK {
            return Ok("Layer already exists".to_owned());
        }
        let from = self.elsewhere(&blob.digest);
        match self.begin(blob, from.as_deref())? {
            Begun::Mounted => Ok(format!("Mounted from {}", from.unwrap_or_default())),
            Begun::At(place) => {
                self.upload(blob, &place, told)?;
                Ok("Pushed".to_owned())
            }
        }
    }

    /// Asks where to send a blob, or to take it over from the repository `from`. A registry that cannot do that, or that
    /// does not let us read there, answers as if nothing but a place had been asked for.
    pub(super) fn begin(&self, blob: &Descriptor, from: Option<&str>) -> Result<Begun> {
        let mount = from.map(|from| format!("?mount={}&from={from}", blob.digest));
        let url = self.client.url(&format!("blobs/uploads/{}", mount.unwrap_or_default()));
        let nothing = Payload { length: 0, open: &|| Ok(Box::new(io::empty())) };
        let ask = Ask { from, body: Some(nothing), ..Ask::new(Method::POST, url.clone()) };
        let mut response = self.client.send(&ask)?;
        match response.status() {
            StatusCode::CREATED => Ok(Begun::Mounted),
            StatusCode::ACCEPTED => Ok(Begun::At(self.location(&response, &url)?)),
            _ => Err(self.client.refusal(&mut response)),
        }
    }

    /// The same bytes as in the store, or the digest would be another.
    fn manifest(&self, manifest: &Descriptor) -> Result<()> {
        let bytes = self.store.blobs.read(&manifest.digest, MANIFEST_LIMIT)?;
        let url = self.client.url(&format!("manifests/{}", self.name.tag().unwrap_or("latest")));
        let headers = vec![("content-type", manifest.media_type.clone())];
        let payload = Payload { length: manifest.size, open: &|| Ok(Box::new(bytes.as_slice())) };
        let mut response = self.client.send(&Ask { headers, body: Some(payload), ..Ask::new(Method::PUT, url) })?;
        match response.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(self.client.refusal(&mut response)),
        }
    }

    /// Another repository of the same registry that has this blob, so that it can be taken over from there: that of the
    /// image itself, or of any other that has the same layer.
    fn elsewhere(&self, blob: &Digest) -> Option<String> {
        let images = self.store.with_blob(blob);
        let names = images.iter().flat_map(|known| &known.entry.names);
        let other = |name: &&Reference| {
            name.digest().is_some() && name.domain() == self.name.domain() && name.path() != self.name.path()
        };
        names.filter(other).map(|name| name.path().to_owned()).next()
    }

    /// A request without a body.
    pub(super) fn ask(&self, method: Method, url: String) -> Result<Response<ureq::Body>> {
        self.client.send(&Ask::new(method, url))
    }

    /// Where an answer sends us.
    pub(super) fn location(&self, response: &Response<ureq::Body>, from: &str) -> Result<String> {
        let place = response.headers().get("location").and_then(|value| value.to_str().ok());
        let place = place.map(|location| join(from, location)).ok_or_else(|| {
            let failure = Failure::new("push to the registry", "it does not say where to send the blob");
            Error::new(Kind::Unavailable, failure.on(self.name.familiar()))
        })?;
        self.client.endpoint.allow(&place)?;
        Ok(place)
    }

    fn tell(&self, blob: &Descriptor, status: &str) {
        (self.progress)(Event::of(&blob.digest.short(), status));
    }
}

/// What a registry answers when a blob is announced.
pub(super) enum Begun {
    /// It has taken it over from another repository.
    Mounted,
    /// It wants it sent to this address.
    At(String),
}
