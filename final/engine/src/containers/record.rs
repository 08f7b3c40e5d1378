//! The two records of a container: what was asked (`config.json`), and what is (`state.json`).
//!
//! The first changes only when somebody asks for something else (rename, update); the second with every start and exit. That
//! is why they are two files: the one that is written often is small, and losing it in a power failure loses nothing that the
//! kernel would not have lost as well.

use bollard_stubs::models::{ContainerConfig, ContainerStateStatusEnum, Health, HostConfig, RestartPolicyNameEnum};
use images::Digest;
use jiff::Timestamp;
use network::Attachment as NetworkAttachment;
use serde::{Deserialize, Serialize};
use volumes::Attachment as VolumeAttachment;

use crate::networks::Wishes;

/// What was asked, complete: the image's part of it is merged in, defaults are filled in, anonymous volumes have names. A
/// start needs nothing else but the image's layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Without a slash.
    pub name: String,
    /// When.
    pub created: Timestamp,
    /// Id of its image.
    pub image: Digest,
    /// What runs in it. `config.image` is the image's name as it was asked for.
    pub config: ContainerConfig,
    /// What it may use of the host.
    pub host: HostConfig,
    /// Its networks, by name, and what it wishes of each.
    #[serde(default)]
    pub networks: Wishes,
    /// What is mounted into it besides the kernel's file systems, in the order in which it is mounted.
    #[serde(default)]
    pub mounts: Vec<Mounted>,
}

/// One mount and how it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// What the monitor does.
    pub attachment: VolumeAttachment,
    /// The options after the last colon of `-v`, for `inspect`.
    #[serde(default)]
    pub mode: String,
    /// Whether it is a volume whose name was made up: `rm -v` and `--rm` remove it too.
    #[serde(default)]
    pub anonymous: bool,
}

impl Asked {
    /// Whether the streams are a terminal.
    pub fn tty(&self) -> bool {
        self.config.tty == Some(true)
    }

    /// Whether it is removed when it ends (`--rm`).
    pub fn auto_remove(&self) -> bool {
        self.host.auto_remove == Some(true)
    }

    /// Which restart policy, and for `on-failure` how many times (0: any number).
    pub fn restart_policy(&self) -> (RestartPolicyNameEnum, u32) {
        let policy = self.host.restart_policy.clone().unwrap_or_default();
        let most = policy.maximum_retry_count.and_then(|most| u32::try_from(most).ok()).unwrap_or(0);
        (policy.name.unwrap_or(RestartPolicyNameEnum::NO), most)
    }
}

/// What is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Which of the six.
    pub status: Status,
    /// Its first process, while it runs.
    pub pid: Option<i32>,
    /// When its program began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Exit status, or 128 + the signal that ended it.
    pub exit_code: i32,
    /// Whether the kernel killed one of its processes for want of memory.
    pub oom_killed: bool,
    /// Why it could not be started, or what is not known about its end.
    pub error: String,
    /// How often the restart policy has started it since somebody did.
    pub restarts: u32,
    /// Whether somebody stopped it: `unless-stopped` then lets it be.
    pub stopped: bool,
    /// What its health checks have found. `None` without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What it holds of the networks; [`crate::networks::Networks::release`] needs nothing else.
    pub network: Option<NetworkAttachment>,
}

/// Docker's words for how a container is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was never started, or could not be.
    #[default]
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its program has ended, and its restart policy will start it again in a moment.
    Restarting,
    /// Its program has ended.
    Exited,
    /// It could not be removed completely.
    Dead,
}

impl Status {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Dead => "dead",
        }
    }

    /// Whether there is a process.
    pub fn has_process(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// Whether `wait` goes on: there is a process, or there will be one again.
    pub fn is_going(self) -> bool {
        self.has_process() || self == Self::Restarting
    }
}

impl From<Status> for ContainerStateStatusEnum {
    fn from(status: Status) -> Self {
        match status {
            Status::Created => Self::CREATED,
            Status::Running => Self::RUNNING,
            Status::Paused => Self::PAUSED,
            Status::Restarting => Self::RESTARTING,
            Status::Exited => Self::EXITED,
            Status::Dead => Self::DEAD,
        }
    }
}
