//! What becomes of a container's output besides going to those who are attached.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where output is kept, and where it is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Log {
    /// The file from which the engine reads it back. `None`: nobody will.
    pub file: Option<LogFile>,
    /// Who collects it besides.
    pub forward: Option<Forward>,
}

/// A log in Docker's json-file format, one object a line: `{"log":"text\n","stream":"stdout","time":"RFC 3339"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogFile {
    /// The current file; older ones are `PATH.1`, `PATH.2`, …
    pub path: PathBuf,
    /// Bytes at which a new file is begun. `None` never does.
    pub max_size: Option<u64>,
    /// How many files there are at most, the current one counted; 0 and 1 both mean the current one alone.
    pub max_files: u32,
}

impl From<LogFile> for Log {
    fn from(file: LogFile) -> Self {
        Self { file: Some(file), forward: None }
    }
}

/// A log that leaves the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Who takes it.
    pub collector: Collector,
    /// How many bytes may wait for a collector that is slow.
    pub buffer: usize,
    /// What happens when more would wait: the newest lines are thrown away (docker's `mode=non-blocking`), or the container is
    /// not read any more, so that it stops in its next write(2).
    pub lossy: bool,
}

/// Who takes a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Collector {
    /// A syslog server.
    Syslog(Syslog),
    /// systemd's journal, by its own protocol (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL>).
    Journal {
        /// Its datagram socket, `/run/systemd/journal/socket`.
        socket: PathBuf,
        /// Fields of every message besides the text and its priority: upper-case names and values.
        fields: Vec<(String, String)>,
    },
}

/// A syslog server and what it is told with every line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Syslog {
    /// Where it listens.
    pub place: Place,
    /// Number of the facility, 0 to 23 (RFC 5424, table 1).
    pub facility: u8,
    /// How a message is laid out.
    pub format: SyslogFormat,
    /// What the lines are from.
    pub tag: String,
    /// Name of this host.
    pub host: String,
}

/// Where a collector listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Where this machine's own syslog is: the first of `/dev/log`, `/var/run/syslog`, `/var/run/log` that answers.
    Here,
    /// A stream socket at a path.
    Unix(PathBuf),
    /// A datagram socket at a path.
    Unixgram(PathBuf),
    /// `HOST:PORT`, one datagram a message.
    Udp(String),
    /// `HOST:PORT`, a message ends with a line feed.
    Tcp(String),
}

/// How a message is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyslogFormat {
    /// As the C library writes to `/dev/log`: RFC 3164 without the host.
    #[default]
    Local,
    /// RFC 3164.
    Rfc3164,
    /// RFC 5424, seconds.
    Rfc5424,
    /// RFC 5424, microseconds.
    Rfc5424Micro,
}
