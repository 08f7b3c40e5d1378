//! Where a container's output is written.

use std::path::Path;

use bollard_stubs::models::HostConfig;
use cgroups::parse_size;
use skiff_runtime::plan::Log;

use crate::error::{Error, Result};

/// Docker lets a log grow until the disk is full. We do not: three files of 10 MB.
const MAX_SIZE: u64 = 10_000_000;
const MAX_FILES: u32 = 3;

/// The log that `LogConfig` asks for, in the file `path`.
///
/// # Errors
/// A driver or an option that we do not have, by name.
pub(crate) fn of(host: &HostConfig, path: &Path) -> Result<Log> {
    let config = host.log_config.clone().unwrap_or_default();
    let options = config.config.unwrap_or_default();
    match config.typ.as_deref().unwrap_or("") {
        "none" => return Ok(Log::None),
        "" | "json-file" | "local" => {}
        driver => {
            // Without a hint: docker-py's users compare the whole sentence. `skiff info` names the drivers.
            return Err(Error::invalid(format!("logger: no log driver named '{driver}' is registered")));
        }
    }
    let (mut max_size, mut max_files) = (Some(MAX_SIZE), MAX_FILES);
    for (name, value) in &options {
        let refuse = || Error::invalid(format!("invalid log option {name}={value}"));
        match name.as_str() {
            "max-size" if value == "-1" => max_size = None,
            "max-size" => max_size = Some(parse_size(value).map_err(|_| refuse())?).filter(|size| *size > 0),
            "max-file" => max_files = value.parse().ok().filter(|files| *files > 0).ok_or_else(refuse)?,
            "mode" if value == "blocking" => {}
            // What is shown in front of each line by `logs --details`; and what changes nothing here.
            "labels" | "labels-regex" | "env" | "env-regex" | "tag" | "compress" | "mode" | "max-buffer-size" => {}
            _ => return Err(Error::invalid(format!("unknown log opt '{name}' for json-file log driver"))),
        }
    }
    Ok(Log::JsonFile { path: path.to_owned(), max_size, max_files })
}

/// Whether [`of`] will find nothing wrong.
pub(crate) fn check(host: &HostConfig) -> Result<()> {
    of(host, Path::new("")).map(drop)
}
