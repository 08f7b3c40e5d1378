//! The image's configuration: what to run, and which layers.
//!
//! The format is the OCI image configuration (config.md of the image specification) with Docker's additions
//! (`Healthcheck`, `Shell`, `OnBuild`). Fields that we do not know are kept, so that an image that was loaded and saved
//! is the same image.
//!
//! ```json
//! {
//!   "architecture": "amd64",
//!   "os": "linux",
//!   "config": { "Env": ["PATH=/usr/bin:/bin"], "Cmd": ["sh"], "WorkingDir": "/srv" },
//!   "rootfs": { "type": "layers", "diff_ids": ["sha256:5f70bf18…", "sha256:c6f988f4…"] },
//!   "history": [
//!     { "created_by": "/bin/sh -c #(nop) ADD file:… in /" },
//!     { "created_by": "CMD [\"sh\"]", "empty_layer": true }
//!   ]
//! }
//! ```
//!
//! The digest of these bytes is the image's id: two images with the same id have the same files and do the same. That
//! is why we never write a configuration again that came from elsewhere, not even prettier.

use std::collections::BTreeMap;

use namespaces::Process;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use unionfs::Digest;

use crate::platform::Platform;

/// The configuration of an image. Its digest is the image's id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// When it was made, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub author: String,
    /// `amd64`, `arm64`, …: Go's name of the processor.
    #[serde(deserialize_with = "or_default")]
    pub architecture: String,
    /// The processor's variant, such as `v8`.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub variant: String,
    /// `linux`.
    #[serde(deserialize_with = "or_default")]
    pub os: String,
    /// What a container of this image runs by default.
    #[serde(deserialize_with = "or_default")]
    pub config: RunConfig,
    /// The layers.
    #[serde(deserialize_with = "or_default")]
    pub rootfs: RootFs,
    /// What each step of a build did.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub history: Vec<History>,
    /// What we do not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What a container runs by default: Docker's `Config` object, with Docker's names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct RunConfig {
    /// `USER[:GROUP]`
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub user: String,
    /// `80/tcp` and an empty object.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub exposed_ports: BTreeMap<String, Value>,
    /// `NAME=value`
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// The program, in front of `cmd`.
    pub entrypoint: Option<Vec<String>>,
    /// The program, or its arguments when there is an entrypoint.
    pub cmd: Option<Vec<String>>,
    /// Paths that get a new volume, and an empty object each.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub volumes: BTreeMap<String, Value>,
    /// Working directory.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub working_dir: String,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// The signal that `stop` sends, by name or number.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub stop_signal: String,
    /// Seconds that `stop` waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// How to ask whether the program is well (Docker).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// The shell that a Dockerfile's commands are given to (Docker).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// Dockerfile instructions for whoever builds on this image (Docker).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_build: Option<Vec<String>>,
    /// What we do not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl RunConfig {
    /// Puts what the image says into `process`. `args` take the place of the image's `Cmd`, not of its entrypoint.
    /// The environment of the image goes over what is there (a default `PATH`); the caller puts what the user wants on
    /// top of both. An entrypoint of several words stays in front: `ENTRYPOINT ["git"]` and `log` run `git log`.
    pub fn describe(&self, process: &mut Process, args: Vec<String>) {
        let cmd = if args.is_empty() { self.cmd.clone().unwrap_or_default() } else { args };
        process.args = self.entrypoint.iter().flatten().cloned().chain(cmd).collect();
        let defined = |variable: &&String| {
            let name = variable.split('=').next();
            !self.env.iter().any(|own| own.split('=').next() == name)
        };
        let kept: Vec<_> = process.env.iter().filter(defined).cloned().collect();
        process.env = kept.into_iter().chain(self.env.iter().cloned()).collect();
        process.cwd = self.working_dir.clone().into();
        process.user.user.clone_from(&self.user);
    }
}

/// How to ask whether the program is well. Durations are nanoseconds; 0 means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["CMD", …]`, `["CMD-SHELL", command]` or `["NONE"]`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub test: Vec<String>,
    /// Time between two checks.
    #[serde(skip_serializing_if = "is_zero")]
    pub interval: i64,
    /// Time that one check may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeout: i64,
    /// Time after the start in which failures do not count.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_period: i64,
    /// Time between two checks during the start period.
    #[serde(skip_serializing_if = "is_zero")]
    pub start_interval: i64,
    /// Failures in a row that make it unhealthy.
    #[serde(skip_serializing_if = "is_zero")]
    pub retries: i64,
}

/// The layers of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Digest of each layer's tar archive, lowest layer first.
    #[serde(default, deserialize_with = "or_default")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".to_owned(), diff_ids: Vec::new() }
    }
}

/// What one step of a build did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The instruction.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub created_by: String,
    /// Who.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub author: String,
    /// A remark.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub comment: String,
    /// Whether the step made no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not", deserialize_with = "or_default")]
    pub empty_layer: bool,
}

impl ImageConfig {
    /// The configuration of an image for this machine with these layers (lowest first), made now.
    pub fn new(diff_ids: Vec<Digest>) -> Self {
        Self {
            created: Some(jiff::Timestamp::now().to_string()),
            architecture: Platform::host().architecture,
            os: "linux".to_owned(),
            rootfs: RootFs { diff_ids, ..RootFs::default() },
            ..Self::default()
        }
    }

    /// For which machines it is.
    pub fn platform(&self) -> Platform {
        let (architecture, os) = (self.architecture.clone(), self.os.clone());
        Platform { architecture, os, variant: Some(self.variant.clone()) }.normal()
    }
}

/// Docker writes `null` for what is empty.
fn or_default<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

/// For serde: a duration that was not given is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}
