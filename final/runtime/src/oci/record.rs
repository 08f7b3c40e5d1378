//! What is remembered of a container between two commands, and what its status is.
//!
//! ```text
//!            create                start                 program ends           delete
//!  (nothing) ──────▶ created ─────────────▶ running ──────────────────▶ stopped ──────▶ (nothing)
//!                    waits at the gate       pause, resume: paused
//! ```
//!
//! `<root>/ID/state.json` says what was made. The status is not in it: it is asked of the kernel each time, because no
//! command is running when a container ends.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cgroups::{Cgroup, Controller, Hierarchies, Version};
use jiff::Timestamp;
use namespaces::{Context, Failure, Result};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags};
use serde::{Deserialize, Serialize};

use super::config::Hooks;
use super::create::CONFIG;

/// The version of the specification that `state` names.
pub(crate) const OCI_VERSION: &str = "1.2.0";

/// One container, as `state.json` has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    /// Absolute path of its bundle.
    pub(crate) bundle: PathBuf,
    /// Its first process.
    pub(crate) pid: i32,
    /// When that process began (proc_pid_stat(5), field 22): a later process can have the same number, not the same time.
    pub(crate) pid_began: u64,
    pub(crate) created: Timestamp,
    /// Its group, below the root of the trees; empty is none.
    pub(crate) cgroup: PathBuf,
    /// Its root directory on the host.
    #[serde(default)]
    pub(crate) rootfs: PathBuf,
    /// Whether its config has no process: it can be created, not started.
    #[serde(default)]
    pub(crate) lacks_program: bool,
    /// Whether it has processes of its own numbers: they all end with the first one then.
    pub(crate) own_pids: bool,
    pub(crate) annotations: BTreeMap<String, String>,
    /// As they were when it was created.
    pub(crate) hooks: Hooks,
}

/// Its status, in the words of the specification and, for `Paused`, of every runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Creating,
    Created,
    Running,
    Paused,
    Stopped,
}

/// What `state` prints and hooks read (runtime.md, "State").
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State<'a> {
    pub(crate) oci_version: &'static str,
    pub(crate) id: &'a str,
    pub(crate) pid: i32,
    pub(crate) status: Status,
    pub(crate) bundle: &'a Path,
    pub(crate) annotations: &'a BTreeMap<String, String>,
}

/// What `state` and `list` tell beyond the specification, as runc and crun do and their callers read.
#[derive(Debug, Serialize)]
pub(crate) struct Description<'a> {
    #[serde(flatten)]
    state: State<'a>,
    rootfs: &'a Path,
    created: Timestamp,
    /// The name of the user who made it, or its number.
    pub(crate) owner: String,
}

/// The directory of all containers' records, `--root`.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    pub(crate) root: PathBuf,
}

/// A record's directory that was just made; removed again unless kept.
pub(crate) struct NewRecord {
    pub(crate) directory: PathBuf,
    kept: bool,
}

impl Records {
    /// Claims the id: exactly one `create` succeeds.
    pub(crate) fn claim(&self, id: &str) -> Result<NewRecord> {
        let directory = self.directory(id)?;
        let mut builder = std::fs::DirBuilder::new();
        builder.mode(0o700);
        match builder.create(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.root).during("make the directory", self.root.display())?;
                builder.create(&directory).during("make the directory", directory.display())?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Failure::new("create the container", "a container with this id already exists")
                    .on(id)
                    .hint("Delete that one first, or choose another id."));
            }
            made => made.during("make the directory", directory.display())?,
        }
        Ok(NewRecord { directory, kept: false })
    }

    /// Reads the record of `id`.
    pub(crate) fn load(&self, id: &str) -> Result<Record> {
        let path = self.directory(id)?.join("state.json");
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Failure::new("find the container", "container does not exist").on(id))
            }
            text => serde_json::from_slice(&text.during("read", path.display())?).during("understand", path.display()),
        }
    }

    /// All records that can be read, by id.
    pub(crate) fn all(&self) -> Result<Vec<Record>> {
        let entries = match std::fs::read_dir(&self.root) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.during("list", self.root.display())?,
        };
        let mut ids: Vec<_> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        ids.sort();
        Ok(ids.iter().filter_map(|id| self.load(id).ok()).collect())
    }

    /// The directory of `id`, which must be a plain name: it is a path component here and in the cgroup trees.
    pub(crate) fn directory(&self, id: &str) -> Result<PathBuf> {
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+-.".contains(&byte));
        if id.is_empty() || id == "." || id == ".." || id.len() > 255 || !plain {
            return Err(Failure::new("use the container id", "it may have letters, digits and _ + - . only")
                .on(format!("{id:?}")));
        }
        Ok(self.root.join(id))
    }

    /// Where a created container waits for `start`.
    pub(crate) fn gate(&self, id: &str) -> Result<PathBuf> {
        Ok(self.directory(id)?.join("start"))
    }
}

impl NewRecord {
    /// Writes `state.json`, with the text of the config beside it, and keeps the directory.
    pub(crate) fn keep(mut self, record: &Record, config: &[u8]) -> Result<()> {
        let kept = self.directory.join(CONFIG);
        std::fs::write(&kept, config).during("write", kept.display())?;
        let (begun, path) = (self.directory.join("state.json.new"), self.directory.join("state.json"));
        let text = serde_json::to_vec(record).step("write the state as JSON")?;
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&begun);
        file.and_then(|mut file| file.write_all(&text)).during("write", begun.display())?;
        std::fs::rename(&begun, &path).during("write", path.display())?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for NewRecord {
    fn drop(&mut self) {
        if !self.kept {
            // It was made a moment ago and is empty but for the gate.
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

impl Record {
    /// Its first process, unless that has ended.
    pub(crate) fn process(&self) -> Result<Option<OwnedFd>> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(None) };
        let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Err(Errno::SRCH) => return Ok(None),
            pidfd => pidfd.during("open the process", self.pid)?,
        };
        // Looked at after it was opened: the number cannot pass to another process in between.
        Ok((began(self.pid) == Some(self.pid_began)).then_some(pidfd))
    }

    pub(crate) fn status(&self, records: &Records) -> Result<Status> {
        Ok(match self.process()? {
            None => Status::Stopped,
            Some(_) if records.gate(&self.id)?.exists() => Status::Created,
            Some(_) if self.is_frozen() => Status::Paused,
            Some(_) => Status::Running,
        })
    }

    /// Its group. An ordinary user's container may have none.
    pub(crate) fn group(&self) -> Result<Cgroup> {
        if self.cgroup.as_os_str().is_empty() {
            return Err(
                Failure::new("open the group of", "it was made without one, by a user who may make none").on(&self.id)
            );
        }
        Cgroup::open(&Hierarchies::discover()?, &self.cgroup)
    }

    /// Its processes. Without a group, those of its pid namespace are all that can be found.
    pub(crate) fn processes(&self) -> Result<Vec<Pid>> {
        if !self.cgroup.as_os_str().is_empty() {
            return self.group()?.processes();
        }
        let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let Some(own) = namespace(&self.pid.to_string()).filter(|_| self.own_pids) else { return Ok(Vec::new()) };
        let entries = std::fs::read_dir("/proc").during("list", "/proc")?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let members = names.filter(|name| namespace(name).is_some_and(|one| one == own));
        Ok(members.filter_map(|name| Pid::from_raw(name.parse().ok()?)).collect())
    }

    fn is_frozen(&self) -> bool {
        let asked = self.group().and_then(|group| {
            let (file, word) = match group.version() {
                Version::V1 => ("freezer.state", "FROZEN"),
                Version::V2 => ("cgroup.events", "frozen 1"),
            };
            Ok(group.read(Controller::Freezer, file)?.is_some_and(|text| text.contains(word)))
        });
        asked.unwrap_or(false)
    }

    pub(crate) fn describe(&self, status: Status, records: &Records) -> Result<Description<'_>> {
        use std::os::unix::fs::MetadataExt;
        let directory = records.directory(&self.id)?;
        let uid = std::fs::metadata(&directory).during("look at", directory.display())?.uid();
        let state = self.state(status);
        Ok(Description { state, rootfs: &self.rootfs, created: self.created, owner: user_name(uid) })
    }

    pub(crate) fn state(&self, status: Status) -> State<'_> {
        // A process that has ended has no number any more.
        let pid = if status == Status::Stopped { 0 } else { self.pid };
        State {
            oci_version: OCI_VERSION,
            id: &self.id,
            pid,
            status,
            bundle: &self.bundle,
            annotations: &self.annotations,
        }
    }
}

/// The user's name by the host's passwd file, for people; without an entry there, the number.
fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| uid.to_string())
}

/// When process `pid` began, in ticks since boot; `None` when it is none, or has ended and waits to be reaped.
pub(crate) fn began(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so counting begins after the last one: state, then 18 more fields.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18)?.parse().ok() }
}
