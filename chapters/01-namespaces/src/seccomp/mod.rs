//! System call filters (seccomp(2)): a profile says which calls are allowed, a [`Program`] is what the kernel runs.

use serde::{Deserialize, Serialize};

/// A compiled filter: classic BPF instructions, each packed as the 8 bytes of a `struct sock_filter`, native endian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The instructions.
    pub instructions: Vec<u64>,
    /// Flags of seccomp(2) `SECCOMP_SET_MODE_FILTER`.
    #[serde(default)]
    pub flags: u32,
}

/// Docker's default profile for a container with these capabilities (names without `CAP_`), compiled for x86-64.
pub fn default_program(capabilities: &[String]) -> Program {
    let _ = capabilities;
    // Being written: allows everything.
    Program { instructions: vec![0x7fff_0000_0000_0006], flags: 0 }
}
