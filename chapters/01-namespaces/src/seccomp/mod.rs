//! System call filters (seccomp(2)): a [`Profile`] says which calls are allowed, a [`Program`] is what the kernel runs.
//!
//! The kernel runs the program at every system call of the process, before the call, with the call's number and its six
//! arguments as input. What the program returns decides: do it, fail with an errno, kill. Classic BPF has no loops, so every
//! program ends, and no pointers, so it cannot be fooled by memory that changes under it.
//!
//! Read [`profile`] for what can be said, [`default`] for what Docker says of a container, [`mod@compile`] for how it becomes
//! instructions, [`table`] for names and numbers.

pub mod compile;
pub mod default;
pub mod profile;
pub mod table;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::capabilities;

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

/// Programs by capability mask: nearly all containers of a machine have the same one.
static COMPILED: Mutex<BTreeMap<u64, Program>> = Mutex::new(BTreeMap::new());

/// Docker's default profile for a container with these capabilities (names without `CAP_`), compiled for x86-64.
///
/// A name that is no capability counts for nothing here; whoever sets the capabilities refuses it.
pub fn default_program(capabilities: &[String]) -> Program {
    let known: Vec<_> = capabilities.iter().filter(|name| capabilities::parse(name).is_ok()).cloned().collect();
    let mask = capabilities::mask(&known).unwrap_or_default();
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    compiled.entry(mask).or_insert_with(|| compile(&default::profile(mask))).clone()
}
