//! Load, import, save: images coming and going, told as a stream of [`Progress`].

use std::io::{Read, Write};
use std::sync::Arc;

use ::images::{Event, Image, Reference};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::unbounded_channel;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::Images;
use super::platforms::wanted;
use crate::engine::Engine;
use crate::error::{Error, Result};

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
    /// The result of a push, for programs: tag, digest, size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aux: Option<Value>,
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
    /// Loads the images of an archive, or those of them that are for `platform`. Each is told by its names in a line of its
    /// own.
    pub fn load_images(&self, archive: impl Read + Send + 'static, platform: Option<String>) -> Telling {
        told(&self.images, move |images, tell| {
            let platform = platform.as_deref().map(wanted).transpose()?;
            for image in images.store.load_for(archive, platform.as_ref(), &|event| tell(event.into()))? {
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

    /// What [`Archive::write`] will write. Every name is looked up first, and must be for `platform`.
    pub fn save_images(&self, names: Vec<String>, platform: Option<&str>) -> Result<Archive> {
        for name in &names {
            self.images.find_for(name, platform)?;
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
            if let Ok(image) = self.images.find(name) {
                let id = image.id.to_string();
                self.images.tell("save", &id, &id);
            }
        }
        Ok(())
    }
}

/// Runs `work` on a thread of its own; what it tells, and its error last, is the stream. A client that goes away does not
/// stop it: half an image is of no use, and a whole one will not have to be fetched again.
pub(super) fn told(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_dockers_fields() {
        let event = Event { id: Some("abc".into()), status: "Downloading".into(), current: Some(1), total: Some(2) };
        insta::assert_snapshot!(serde_json::to_string(&Progress::from(event)).unwrap(),
            @r#"{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"abc"}"#);
        insta::assert_snapshot!(serde_json::to_string(&Progress::failed(&Error::internal("no"))).unwrap(),
            @r#"{"errorDetail":{"message":"no"},"error":"no"}"#);
    }
}
