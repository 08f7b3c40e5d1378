//! What a registry says of a name, without fetching the image: `docker manifest inspect`, `GET /distribution/NAME/json`,
//! and the tags of a repository for `pull --all-tags`.

use serde::Deserialize;
use ureq::http::StatusCode;

use super::client::{Action, Client};
use super::endpoint::Endpoint;
use super::refusal::read;
use super::{Credentials, RegistryOptions};
use crate::error::{Error, Kind, Result};
use crate::manifest::{CONFIG_LIMIT, Descriptor, Document, INDEX, MANIFEST, MANIFEST_LIMIT};
use crate::platform::Platform;
use crate::reference::Reference;

/// The most tags of one repository that are listed, and the most pages that a registry may spread them over.
const TAGS: usize = 10_000;
const PAGES: usize = 1_000;

/// What a registry has under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Type, digest and size of the first document.
    pub descriptor: Descriptor,
    /// The machines that it is for.
    pub platforms: Vec<Platform>,
    /// The document itself, byte for byte.
    pub bytes: Vec<u8>,
}

/// Looks up a name in its registry, mirrors first. A name without tag or digest is its tag `latest`.
///
/// Nothing is kept: the store does not know of it.
///
/// # Errors
/// Nobody has the name, it may not be read, or what came is no manifest.
pub fn look_up(name: &Reference, credentials: Option<&Credentials>, options: &RegistryOptions) -> Result<Remote> {
    let name = name.clone().or_latest();
    let (client, fetched) = Client::first(&name, credentials, options)?;
    let document = Document::read(&fetched.bytes, fetched.stated())?;
    let (kind, platforms) = match &document {
        Document::Index(index) => {
            let kind = index.media_type.as_deref().unwrap_or(INDEX);
            (kind, index.manifests.iter().filter_map(|each| each.platform.clone()).collect())
        }
        Document::Manifest(manifest) => {
            let config = client.small_blob(&manifest.config, CONFIG_LIMIT)?;
            // The configuration of something that is no image says nothing of a platform.
            let platform = serde_json::from_slice::<Platform>(&config).ok();
            (manifest.media_type.as_deref().unwrap_or(MANIFEST), platform.into_iter().collect())
        }
    };
    let descriptor = Descriptor::new(kind, fetched.digest, fetched.bytes.len() as u64);
    Ok(Remote { descriptor, platforms, bytes: fetched.bytes })
}

/// The tags of a repository (distribution specification, "Listing Tags"): a page at a time, as the registry likes.
///
/// Only the registry itself is asked: a mirror has what others have asked it for, which is less than there is.
///
/// # Errors
/// The repository is not there or may not be read; or it has more tags than anybody would want to pull.
pub fn tags(name: &Reference, credentials: Option<&Credentials>, options: &RegistryOptions) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        tags: Option<Vec<String>>,
    }
    let repository = name.repository();
    let client = Client::new(Endpoint::direct(name.domain(), options)?, &repository, credentials, Action::Pull);
    let mut found = Vec::new();
    let mut next = Some(client.url("tags/list"));
    for _ in 0..PAGES {
        let Some(url) = next else { return Ok(found) };
        let mut response = client.get_at(url.clone())?;
        if response.status() != StatusCode::OK {
            return Err(client.refusal(&mut response));
        }
        next = client.next_page(&url, response.headers());
        let list: List = serde_json::from_slice(&read(&mut response, MANIFEST_LIMIT)?).map_err(|error| {
            Error::worded(Kind::Unavailable, format!("the registry's list of tags is none: {error}"))
        })?;
        found.extend(list.tags.unwrap_or_default());
        if found.len() > TAGS {
            break;
        }
    }
    let words = format!("{} has more tags than the {TAGS} that are listed", name.familiar_name());
    Err(Error::worded(Kind::Unavailable, words).with_hint("Pull the tags that you need one by one."))
}
