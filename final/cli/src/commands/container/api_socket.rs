//! `--use-api-socket`: a container that may give orders to the daemon, as its owner.
//!
//! It gets the daemon's socket at docker's usual place, and the logins to registries in a file of its own, because a helper
//! that keeps them is a program of this machine. That is all of the daemon's power: only for what you trust.

use std::fs::File;
use std::io::Seek as _;

use bollard_stubs::models::{ContainerCreateBody, HostConfig, Mount, MountTypeEnum};
use rustix::fs::{MemfdFlags, memfd_create};

use super::path;
use crate::client::{Client, Endpoint, Request, Upload};
use crate::error::{Error, Result};

/// Where the clients in the container look for the daemon.
const SOCKET: &str = "/var/run/docker.sock";
/// The directory of the logins in the container.
const LOGINS: &str = "/run/secrets/docker";

/// Adds the mount, and the variable that leads to the logins. Returns the logins as an archive, if there are any and the
/// container is not told to look for them elsewhere.
pub(crate) fn mount(client: &Client, body: &mut ContainerCreateBody) -> Result<Option<File>> {
    let source = match client.endpoint() {
        Endpoint::Unix { path, .. } => path.display().to_string(),
        // The other machine knows its own socket; docker assumes the usual one.
        Endpoint::Ssh { .. } | Endpoint::Tcp { .. } => SOCKET.to_owned(),
    };
    let mount = Mount {
        typ: Some(MountTypeEnum::BIND),
        source: Some(source),
        target: Some(SOCKET.to_owned()),
        ..Mount::default()
    };
    body.host_config.get_or_insert_with(HostConfig::default).mounts.get_or_insert_default().push(mount);
    let variables = body.env.get_or_insert_default();
    if variables.iter().any(|variable| variable.starts_with("DOCKER_CONFIG=")) {
        return Ok(None);
    }
    let Some(config) = client.logins.all()? else { return Ok(None) };
    variables.push(format!("DOCKER_CONFIG={LOGINS}"));
    archive(config.as_bytes()).map(Some).map_err(|error| failed(&error))
}

/// Puts the logins into a container that was made.
pub(crate) async fn hand_over(client: &Client, id: &str, logins: &File) -> Result<()> {
    let file = logins.try_clone().map_err(|error| failed(&error))?;
    let request = Request::put(format!("{}/archive", path(id))).query("path", "/");
    client.send(request.upload(Upload { file })).await
}

fn failed(error: &std::io::Error) -> Error {
    Error::new(format!("cannot pack the logins for the container: {error}"))
}

/// `run/secrets/docker/config.json`, for its owner's eyes only, in memory that no file system keeps.
fn archive(config: &[u8]) -> std::io::Result<File> {
    let memory = File::from(memfd_create("logins", MemfdFlags::CLOEXEC)?);
    let mut archive = tar::Builder::new(memory);
    let mut header = tar::Header::new_gnu();
    header.set_size(config.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, format!("{}/config.json", LOGINS.trim_start_matches('/')), config)?;
    let mut memory = archive.into_inner()?;
    memory.rewind()?;
    Ok(memory)
}
