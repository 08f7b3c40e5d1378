//! `create`: step 2 of the six, and step 1 when the image is missing.

use std::fs::File;
use std::time::{Duration, Instant};

use bollard_stubs::models::ContainerCreateBody;
use clap::Args;
use serde::Deserialize;

use super::api_socket;
use crate::client::{Client, Request};
use crate::commands::image::pull::{self, Reference};
use crate::commands::{DONE, Execute, Exit};
use crate::create::{Identity, Options, Pull, proxies};
use crate::error::{During as _, Error, Result};
use crate::output;
use crate::output::progress::To;

/// The flags and arguments.
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    options: Options,
}

impl Execute for Create {
    const USAGE: &'static str = "[OPTIONS] IMAGE [COMMAND] [ARG...]";
    const ABOUT: &'static str = "Make a container from an image, without starting it";

    async fn execute(self, client: &Client) -> Result<Exit> {
        let asked = Asked::new(client, &self.options, false)?;
        let made = create(client, &self.options.identity, &asked).await?;
        output::line(made.id)?;
        Ok(DONE)
    }
}

/// What is asked of the daemon, from the flags and the user's settings.
pub(crate) struct Asked {
    image: String,
    pub(crate) body: ContainerCreateBody,
    /// The logins that the container gets, as an archive to be unpacked in it.
    logins: Option<File>,
}

impl Asked {
    pub(crate) fn new(client: &Client, options: &Options, detached: bool) -> Result<Self> {
        let mut body = options.body(detached, &|name| std::env::var(name).ok())?;
        let variables = body.env.get_or_insert_default();
        proxies::add(&client.contexts.store.value("proxies")?, &client.endpoint().to_string(), variables);
        let logins = if options.use_api_socket { api_socket::mount(client, &mut body)? } else { None };
        body.env = body.env.filter(|variables| !variables.is_empty());
        Ok(Self { image: options.image().to_owned(), body, logins })
    }
}

/// The daemon's answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Created {
    id: String,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

/// A container's record, and how long it took to get there.
pub(crate) struct Made {
    /// The container's.
    pub(crate) id: String,
    /// How long its image was pulled; `None` when it was there.
    pub(crate) pulled: Option<Duration>,
    /// How long the daemon took for the record, the way there and back included.
    pub(crate) took: Duration,
}

/// Creates a container. An image that is missing is pulled, unless that is not wanted.
pub(crate) async fn create(client: &Client, identity: &Identity, asked: &Asked) -> Result<Made> {
    let (image, body) = (asked.image.as_str(), &asked.body);
    if let Some(file) = identity.cidfile.as_ref().filter(|file| file.exists()) {
        return Err(Error::new(format!(
            "container ID file found, make sure the other container isn't running or delete {}",
            file.display()
        )));
    }
    Reference::parse(image)?;
    check_version(client, body).await?;
    let request = || {
        let request = Request::post("/containers/create").maybe("name", identity.name.as_ref());
        request.maybe("platform", identity.platform.as_ref()).json(body)
    };
    let pull = async || {
        let began = Instant::now();
        let to = if identity.quiet { To::Nowhere } else { To::Error };
        pull::pull(client, &Reference::parse(image)?.or_latest(), identity.platform.as_deref(), to).await?;
        Ok::<_, Error>(began.elapsed())
    };
    let mut pulled = if identity.pull == Pull::Always { Some(pull().await?) } else { None };
    let mut began = Instant::now();
    let created: Result<Created> = client.json(request()?).await;
    let created = match created {
        Err(error) if identity.pull == Pull::Missing && is_missing_image(&error) => {
            if !identity.quiet {
                output::notice(format!("Unable to find image '{}' locally", Reference::parse(image)?.familiar()));
            }
            pulled = Some(pull().await?);
            began = Instant::now();
            client.json(request()?).await?
        }
        other => other?,
    };
    let took = began.elapsed();
    if let Some(logins) = &asked.logins {
        api_socket::hand_over(client, &created.id, logins).await?;
    }
    for warning in created.warnings.iter().flatten() {
        output::notice(format!("WARNING: {warning}"));
    }
    if let Some(file) = &identity.cidfile {
        std::fs::write(file, &created.id).during("write the container's id to", file.display())?;
    }
    Ok(Made { id: created.id, pulled, took })
}

/// Docker's refusal of what an older daemon would pass over in silence.
async fn check_version(client: &Client, body: &ContainerCreateBody) -> Result<()> {
    let networks = body.networking_config.iter().flat_map(|config| config.endpoints_config.iter().flatten());
    if !networks.into_iter().any(|(_, endpoint)| endpoint.mac_address.is_some()) {
        return Ok(());
    }
    client.negotiate().await?;
    let (major, minor) = client.version();
    if (major, minor) < (1, 44) {
        return Err(Error::new(format!(
            "\"specify mac-address per network\" requires API version 1.44, but the Docker daemon API version is {major}.{minor}"
        )));
    }
    Ok(())
}

/// 404 can also be about a network or another container.
fn is_missing_image(error: &Error) -> bool {
    error.is_not_found() && error.message.to_lowercase().contains("no such image")
}
