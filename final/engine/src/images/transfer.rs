//! Pull, load, import, save: images coming and going, told as a stream of [`Progress`].

use std::io::{Read, Write};
use std::sync::Arc;

use ::images::{Credentials, Event, Image, Reference};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::unbounded_channel;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::Images;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::system::architecture;

/// One line of docker's progress stream (`jsonmessage.JSONMessage`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Text that is printed as it is, newline included: the result of a load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// What is going on: `Downloading`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// How far it is.
    #[serde(default, rename = "progressDetail", skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// Which layer it is about: lines with the same id replace each other on a terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What went wrong after the stream had begun.
    #[serde(default, rename = "errorDetail", skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<ErrorDetail>,
    /// The same, for old clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far a layer is, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// Done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<u64>,
    /// Altogether, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// What went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// The sentence.
    pub message: String,
}

impl Progress {
    /// The line for an error that comes too late to be a status.
    pub fn failed(error: &Error) -> Self {
        let message = error.to_string();
        Self { error: Some(message.clone()), error_detail: Some(ErrorDetail { message }), ..Self::default() }
    }

    fn printed(text: String) -> Self {
        Self { stream: Some(text), ..Self::default() }
    }
}

impl From<Event> for Progress {
    fn from(event: Event) -> Self {
        let Event { id, status, current, total } = event;
        Self { status: Some(status), id, detail: Some(Detail { current, total }), ..Self::default() }
    }
}

/// What is told while images come: lines, and an error last if there is one.
pub type Telling = UnboundedReceiverStream<Result<Progress>>;

/// What an imported image gets besides its files, as the request has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Import {
    /// `repo`
    pub repository: Option<String>,
    /// `tag`
    pub tag: Option<String>,
    /// `message`
    pub message: Option<String>,
    /// `changes`, each an instruction of a Dockerfile.
    pub changes: Vec<String>,
}

impl Engine {
    /// Fetches an image from its registry. `tag` may be a tag or a digest; `latest` is the default. `login` is the header
    /// `X-Registry-Auth`.
    ///
    /// # Errors
    /// A malformed name or login at once; what the registry says comes in the stream.
    pub fn pull_image(
        &self,
        name: &str,
        tag: Option<&str>,
        platform: Option<&str>,
        login: Option<&str>,
    ) -> Result<Telling> {
        let reference = reference(name, tag)?.or_latest();
        check_platform(platform)?;
        let credentials = login.map(credentials).transpose()?.flatten();
        Ok(told(&self.images, move |images, tell| {
            let on_event = |event: Event| tell(event.into());
            let image = ::images::pull(&images.store, &reference, credentials.as_ref(), &images.registries, &on_event)?;
            images.tell("pull", &reference.familiar(), &reference.familiar_name());
            drop(image);
            Ok(())
        }))
    }

    /// Loads the images of an archive. Each is told by its names in a line of its own.
    pub fn load_images(&self, archive: impl Read + Send + 'static) -> Telling {
        told(&self.images, move |images, tell| {
            for image in images.store.load(archive, &|event| tell(event.into()))? {
                images.tell("load", &image.id.to_string(), &image.id.to_string());
                for line in loaded(&image) {
                    tell(Progress::printed(line));
                }
            }
            Ok(())
        })
    }

    /// Makes an image of one layer from an archive of a root file system. The one line is its id.
    pub fn import_image(&self, archive: impl Read + Send + 'static, import: Import) -> Telling {
        told(&self.images, move |images, tell| {
            let name = import.repository.as_deref().map(|name| reference(name, import.tag.as_deref())).transpose()?;
            let name = name.map(Reference::or_latest);
            let import = ::images::Import { name, changes: import.changes, message: import.message };
            let id = images.store.import(archive, import)?.id.to_string();
            images.tell("import", &id, &id);
            tell(Progress { status: Some(id), ..Progress::default() });
            Ok(())
        })
    }

    /// What [`Archive::write`] will write. Every name is looked up first.
    pub fn save_images(&self, names: Vec<String>) -> Result<Archive> {
        for name in &names {
            self.images.find(name)?;
        }
        Ok(Archive { images: Arc::clone(&self.images), names })
    }
}

/// Images to be saved.
#[derive(Debug)]
pub struct Archive {
    images: Arc<Images>,
    names: Vec<String>,
}

impl Archive {
    /// Writes them as an archive that both `docker load` and OCI tools read. Blocks.
    pub fn write(self, mut to: impl Write) -> Result<()> {
        self.images.store.save(&self.names, &mut to)?;
        to.flush().map_err(|error| Error::internal(format!("cannot write the archive: {error}")))?;
        for name in &self.names {
            self.images.tell("save", name, name);
        }
        Ok(())
    }
}

/// Runs `work` on a thread of its own; what it tells, and its error last, is the stream. A client that goes away does not
/// stop it: half an image is of no use, and a whole one will not have to be fetched again.
fn told(
    images: &Arc<Images>,
    work: impl FnOnce(&Images, &(dyn Fn(Progress) + Sync)) -> Result<()> + Send + 'static,
) -> Telling {
    let images = Arc::clone(images);
    let (send, receive) = unbounded_channel();
    tokio::task::spawn_blocking(move || {
        let tell = |progress| drop(send.send(Ok(progress)));
        if let Err(error) = work(&images, &tell) {
            let _ = send.send(Err(error));
        }
    });
    UnboundedReceiverStream::new(receive)
}

/// Docker's lines after a load.
fn loaded(image: &Image) -> Vec<String> {
    match image.repo_tags.as_slice() {
        [] => vec![format!("Loaded image ID: {}\n", image.id)],
        names => names.iter().map(|name| format!("Loaded image: {}\n", name.familiar())).collect(),
    }
}

/// The name and the tag or digest that the API gives apart.
pub(super) fn reference(name: &str, tag: Option<&str>) -> Result<Reference> {
    let text = match tag {
        None => name.to_owned(),
        Some(digest) if digest.contains(':') => format!("{name}@{digest}"),
        Some(tag) => format!("{name}:{tag}"),
    };
    Ok(text.parse()?)
}

/// Only this machine's own platform can run here.
fn check_platform(platform: Option<&str>) -> Result<()> {
    let Some(platform) = platform else { return Ok(()) };
    let (os, rest) = platform.split_once('/').unwrap_or(("linux", platform));
    let machine = rest.split('/').next().unwrap_or(rest);
    if os == "linux" && [architecture(), "linux", std::env::consts::ARCH].contains(&machine) {
        return Ok(());
    }
    Err(Error::invalid(format!("cannot run images for {platform} on linux/{}", architecture()))
        .hint("Leave out --platform to get the image for this machine."))
}

/// The header `X-Registry-Auth`: JSON in base64 for URLs. An empty object is nobody.
fn credentials(header: &str) -> Result<Option<Credentials>> {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Login {
        username: String,
        password: String,
        identitytoken: String,
    }
    let bad = |why: &dyn std::fmt::Display| Error::invalid(format!("invalid X-Registry-Auth header: {why}"));
    let bytes = URL_SAFE.decode(header).or_else(|_| URL_SAFE_NO_PAD.decode(header)).map_err(|error| bad(&error))?;
    let login: Login = serde_json::from_slice(&bytes).map_err(|error| bad(&error))?;
    if !login.identitytoken.is_empty() {
        return Err(Error::unsupported("logging in to a registry with an identity token is not supported yet"));
    }
    let known = !login.username.is_empty();
    Ok(known.then_some(Credentials { username: login.username, password: login.password, ..Credentials::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read_and_an_empty_one_is_nobody() {
        assert_eq!(credentials("e30=").unwrap(), None);
        assert_eq!(credentials("e30").unwrap(), None);
        let header = URL_SAFE.encode(r#"{"username":"me","password":"it","serveraddress":"x"}"#);
        assert_eq!(credentials(&header).unwrap().unwrap().username, "me");
        assert!(credentials("{").unwrap_err().message.starts_with("invalid X-Registry-Auth"));
    }

    #[test]
    fn only_this_machines_platform() {
        for platform in ["linux/amd64", "linux", "amd64", "linux/x86_64"] {
            check_platform(Some(platform)).expect(platform);
        }
        let error = check_platform(Some("linux/s390x")).unwrap_err();
        assert_eq!(error.message, "cannot run images for linux/s390x on linux/amd64");
    }

    #[test]
    fn a_line_has_dockers_fields() {
        let event = Event { id: Some("abc".into()), status: "Downloading".into(), current: Some(1), total: Some(2) };
        insta::assert_snapshot!(serde_json::to_string(&Progress::from(event)).unwrap(),
            @r#"{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"abc"}"#);
        insta::assert_snapshot!(serde_json::to_string(&Progress::failed(&Error::internal("no"))).unwrap(),
            @r#"{"errorDetail":{"message":"no"},"error":"no"}"#);
    }
}
