//! System call filters (seccomp(2)): a [`Profile`] says which calls are allowed, a [`Program`] is what the kernel runs.
//!
//! The kernel runs the program at every system call of the process, before the call, with the call's number and its six
//! arguments as input. What the program returns decides: do it, fail with an errno, kill. Classic BPF has no loops, so every
//! program ends, and no pointers, so it cannot be fooled by memory that changes under it.
//!
//! Read [`profile`] for what can be said, [`default`] for what Docker says of a container, [`json`] for what others say in
//! files, [`mod@compile`] for how it becomes instructions, [`table`] for names and numbers.

pub mod compile;
pub mod default;
pub mod json;
pub mod profile;
pub mod table;
mod table_32;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::capabilities;
use crate::failure::{Failure, Result};

pub use compile::compile;
pub use profile::{Action, Condition, Operator, Profile, Rule};

/// A compiled filter: classic BPF instructions, each packed as the 8 bytes of a `struct sock_filter`, native endian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The instructions.
    pub instructions: Vec<u64>,
    /// Flags of seccomp(2) `SECCOMP_SET_MODE_FILTER`.
    #[serde(default)]
    pub flags: u32,
}

/// Programs by capability mask and, for a profile of somebody's own, its text: nearly all containers of a machine have the
/// same one.
static COMPILED: Mutex<BTreeMap<(u64, Vec<u8>), Program>> = Mutex::new(BTreeMap::new());

/// How many programs are remembered.
const REMEMBERED: usize = 64;

/// Docker's default profile for a container with these capabilities (names without `CAP_`).
///
/// A name that is no capability counts for nothing here; whoever sets the capabilities refuses it.
pub fn default_program(capabilities: &[String]) -> Program {
    let mask = known(capabilities);
    remembered((mask, Vec::new()), || compile(&default::profile(mask)))
}

/// The profile in `text`, JSON in docker's format ([`json`]), for a container with these capabilities: what
/// `--security-opt seccomp=FILE` asks for. `None` for a profile that says nothing, which is no filter.
///
/// Fails when it is no JSON, or says something that no program can be made of: the failure names it. A profile that asks a
/// listener is refused, for that is a matter between an OCI runtime and its caller.
pub fn program_from_json(text: &[u8], capabilities: &[String]) -> Result<Option<Program>> {
    let mask = known(capabilities);
    let document = json::Document::parse(text)?;
    if document.is_empty() {
        return Ok(None);
    }
    let profile = document.profile(mask)?;
    if profile.notifies() {
        return Err(Failure::new("use the seccomp profile", "nobody would answer").on("SCMP_ACT_NOTIFY"));
    }
    Ok(Some(remembered((mask, text.to_vec()), || compile(&profile))))
}

fn remembered(key: (u64, Vec<u8>), make: impl FnOnce() -> Program) -> Program {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if compiled.len() > REMEMBERED {
        compiled.clear();
    }
    compiled.entry(key).or_insert_with(make).clone()
}

/// The mask of those names that are capabilities.
fn known(capabilities: &[String]) -> u64 {
    let known: Vec<_> = capabilities.iter().filter(|name| capabilities::parse(name).is_ok()).cloned().collect();
    capabilities::mask(&known).unwrap_or_default()
}
