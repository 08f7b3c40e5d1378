//! Where a container's output is written: docker's log drivers and their options.
//!
//! | driver | kept in a file of ours | sent to |
//! |---|---|---|
//! | `json-file`, `local` | as its options say | nobody |
//! | `syslog`, `journald` | for `docker logs`, unless `cache-disabled` | its collector, by the container's monitor |
//! | `none` | no | nobody |
//!
//! Docker keeps such a file beside the drivers that cannot be read since its version 20.10, and calls it the cache.

use std::collections::HashMap;
use std::path::Path;

use bollard_stubs::models::HostConfig;
use cgroups::parse_size;
use regex_lite::Regex;
use skiff_runtime::plan::{Collector, Forward, Log, LogFile};

use super::{log_tag, syslog};
use crate::containers::logs::details;
use crate::containers::record::Asked;
use crate::error::{Error, Result};

/// Docker lets a log grow until the disk is full. We do not: three files of 10 MB.
const MAX_SIZE: u64 = 10_000_000;
const MAX_FILES: u32 = 3;
/// Docker's `local` and its cache have a bound of their own.
const LOCAL_SIZE: u64 = 20_000_000;
const LOCAL_FILES: u32 = 5;
/// How much may wait for a collector while the container goes on writing (`max-buffer-size`).
const BUFFER: u64 = 1 << 20;
/// How much may wait for it before the container has to.
const WINDOW: usize = 64 << 10;
/// Where systemd's journal listens.
pub(crate) const JOURNAL: &str = "/run/systemd/journal/socket";

/// The drivers that there are.
pub(crate) const DRIVERS: [&str; 5] = ["journald", "json-file", "local", "none", "syslog"];
/// Options of every driver.
const COMMON: [&str; 6] =
    ["mode", "max-buffer-size", "cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"];
/// What goes along with each line.
const ATTRIBUTES: [&str; 5] = ["labels", "labels-regex", "env", "env-regex", "tag"];

/// The driver and the options that a container was asked to have.
struct Wanted<'a> {
    driver: &'a str,
    options: &'a HashMap<String, String>,
}

impl<'a> Wanted<'a> {
    fn of(host: &'a HostConfig, none: &'a HashMap<String, String>) -> Self {
        let config = host.log_config.as_ref();
        let driver = config.and_then(|config| config.typ.as_deref()).filter(|driver| !driver.is_empty());
        let options = config.and_then(|config| config.config.as_ref()).unwrap_or(none);
        Self { driver: driver.unwrap_or("json-file"), options }
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.options.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn is_sent(&self) -> bool {
        matches!(self.driver, "syslog" | "journald")
    }

    fn check(&self) -> Result<()> {
        if self.driver == "none" {
            return Ok(());
        }
        match (self.get("mode"), self.get("max-buffer-size")) {
            (None | Some("blocking"), Some(_)) => {
                let words = "logger: max-buffer-size option is only supported with 'mode=non-blocking'";
                return Err(Error::invalid(words));
            }
            (None | Some("blocking" | "non-blocking"), _) => {}
            (Some(mode), _) => return Err(Error::invalid(format!("logger: logging mode not supported: {mode}"))),
        }
        if !DRIVERS.contains(&self.driver) {
            // Without a hint: docker-py's users compare the whole sentence. `skiff info` names the drivers.
            return Err(Error::invalid(format!("logger: no log driver named '{}' is registered", self.driver)));
        }
        self.names()?;
        self.cache_disabled()?;
        self.file(Path::new(""))?;
        self.buffer()?;
        for pattern in ["labels-regex", "env-regex"].iter().filter_map(|name| self.get(name)) {
            Regex::new(pattern).map_err(|error| Error::invalid(format!("invalid log option {pattern:?}: {error}")))?;
        }
        log_tag::check(self.get("tag").unwrap_or_default())?;
        if self.driver == "syslog" { syslog::check(self.options) } else { Ok(()) }
    }

    /// Whether the driver has every option that is there.
    fn names(&self) -> Result<()> {
        let own: &[&str] = match self.driver {
            // Docker's `local` keeps nothing else beside a line. Ours is the same format, so it does.
            "json-file" | "local" => &["max-file", "max-size", "compress"],
            "syslog" => &syslog::OPTIONS,
            _ => &[],
        };
        let known = |name: &str| COMMON.contains(&name) || ATTRIBUTES.contains(&name) || own.contains(&name);
        let mut unknown: Vec<_> = self.options.keys().filter(|name| !known(name)).collect();
        unknown.sort_unstable();
        let place = |driver| match driver {
            "local" => "log driver local".to_owned(),
            driver => format!("{driver} log driver"),
        };
        match unknown.first() {
            Some(name) => Err(Error::invalid(format!("unknown log opt '{name}' for {}", place(self.driver)))),
            None => Ok(()),
        }
    }

    fn cache_disabled(&self) -> Result<bool> {
        match self.get("cache-disabled").unwrap_or("false") {
            "1" | "t" | "T" | "true" | "True" | "TRUE" => Ok(true),
            "0" | "f" | "F" | "false" | "False" | "FALSE" => Ok(false),
            other => Err(Error::invalid(format!("invalid value for option cache-disabled: {other}"))),
        }
    }

    /// The file from which the log is read back.
    fn file(&self, path: &Path) -> Result<Option<LogFile>> {
        let (prefix, size, files) = match self.driver {
            "none" => return Ok(None),
            "json-file" => ("", MAX_SIZE, MAX_FILES),
            "local" => ("", LOCAL_SIZE, LOCAL_FILES),
            _ if self.cache_disabled()? => return Ok(None),
            _ => ("cache-", LOCAL_SIZE, LOCAL_FILES),
        };
        let (mut max_size, mut max_files) = (Some(size), files);
        let (size, files) = (format!("{prefix}max-size"), format!("{prefix}max-file"));
        let refuse = |name: &str, value: &str| Error::invalid(format!("invalid log option {name}={value}"));
        match self.get(&size) {
            Some("-1") => max_size = None,
            Some(value) => {
                let read = parse_size(value).ok().filter(|size| *size > 0);
                max_size = Some(read.ok_or_else(|| refuse(&size, value))?);
            }
            None => {}
        }
        if let Some(value) = self.get(&files) {
            max_files = value.parse().ok().filter(|most| *most > 0).ok_or_else(|| refuse(&files, value))?;
        }
        Ok(Some(LogFile { path: path.to_owned(), max_size, max_files }))
    }

    /// How much may wait for a collector, and whether what is more is lost.
    fn buffer(&self) -> Result<(usize, bool)> {
        if self.get("mode") != Some("non-blocking") {
            return Ok((WINDOW, false));
        }
        let refuse = |value| Error::invalid(format!("error parsing option max-buffer-size: invalid size: '{value}'"));
        let size = match self.get("max-buffer-size") {
            Some(value) => parse_size(value).map_err(|_| refuse(value))?,
            None => BUFFER,
        };
        Ok((usize::try_from(size).unwrap_or(usize::MAX), true))
    }
}

/// The log that a container was asked to have, its file at `path`.
///
/// # Errors
/// What [`check`] refuses.
pub(crate) fn of(asked: &Asked, path: &Path) -> Result<Log> {
    let none = HashMap::new();
    let wanted = Wanted::of(&asked.host, &none);
    wanted.check()?;
    let file = wanted.file(path)?;
    if !wanted.is_sent() {
        return Ok(Log { file, forward: None });
    }
    let tag = log_tag::of(wanted.get("tag").unwrap_or(log_tag::DEFAULT), asked)?;
    let collector = match wanted.driver {
        "syslog" => Collector::Syslog(syslog::of(wanted.options, tag)?),
        _ => Collector::Journal { socket: JOURNAL.into(), fields: fields(asked, tag)? },
    };
    let (buffer, lossy) = wanted.buffer()?;
    Ok(Log { file, forward: Some(Forward { collector, buffer, lossy }) })
}

/// What the journal is told of a container with each of its lines, in docker's names.
fn fields(asked: &Asked, tag: String) -> Result<Vec<(String, String)>> {
    let mut fields: Vec<_> = [
        ("CONTAINER_ID", crate::containers::names::short(&asked.id).to_owned()),
        ("CONTAINER_ID_FULL", asked.id.clone()),
        ("CONTAINER_NAME", asked.name.clone()),
        ("CONTAINER_TAG", tag.clone()),
        ("IMAGE_NAME", asked.config.image.clone().unwrap_or_default()),
        ("SYSLOG_IDENTIFIER", tag),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (name, value) in details::chosen(asked)? {
        // The journal's names are of upper-case letters, digits and underscores, and its own begin with one.
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
        fields.push((name.trim_start_matches('_').to_owned(), value));
    }
    Ok(fields)
}

/// Whether [`of`] will find nothing wrong with what `host` asks for.
pub(crate) fn check(host: &HostConfig) -> Result<()> {
    Wanted::of(host, &HashMap::new()).check()
}

/// Whether an engine can have these as what containers have unless they say otherwise.
///
/// # Errors
/// A driver or an option that there is not, in docker's words.
pub fn check_log(driver: &str, options: &[(String, String)]) -> Result<()> {
    Wanted { driver, options: &options.iter().cloned().collect() }.check()
}

/// Whether a log with these options can be read back.
pub(crate) fn is_kept(host: &HostConfig) -> Result<bool> {
    Ok(Wanted::of(host, &HashMap::new()).file(Path::new(""))?.is_some())
}

/// Whether the log is of this driver.
pub(crate) fn is(host: &HostConfig, driver: &str) -> bool {
    Wanted::of(host, &HashMap::new()).driver == driver
}
