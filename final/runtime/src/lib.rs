//! # skiff-runtime: the program that makes and watches one container
//!
//! It is small, has one thread, and stands between two worlds. Towards the daemon it is the *monitor* of one container: it
//! makes it, holds its terminal or pipes, writes its log, and keeps its exit status, so that a container outlives the
//! daemon. Towards containerd, Docker and Podman it is an *OCI runtime* with the usual commands.
//!
//! Read the files in this order:
//!
//! 1. `plan.rs`: what is wanted, complete, as one value: [`Plan`].
//! 2. `protocol.rs`: what daemon and monitor say to each other.
//! 3. `channel.rs`: how they say it: one datagram a message, descriptors beside it.
//! 4. `monitor/`: the monitor; begin with the drawing in its `mod.rs`.
//! 5. `own.rs`: the program's own file, out of reach of containers.
//! 6. `oci/`: the OCI runtime; begin with its `mod.rs`.
//! 7. `sys.rs`: two system calls; the only `unsafe`.

mod channel;
pub mod monitor;
pub mod oci;
mod own;
pub mod plan;
pub mod protocol;
mod sys;

pub use channel::{Channel, MAX_FDS, Received, SOCKET};
pub use own::own_executable;
pub use plan::{ExecPlan, Plan};
