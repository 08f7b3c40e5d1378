//! # Chapter 1: namespaces
//!
//! A container is a process whose view of the machine was made smaller before its program began. This crate makes that
//! process. Everything a later chapter adds (limits, layers, a network, volumes) is a [`Stage`] that takes its turn in
//! the same launch.
//!
//! ```text
//!  Container ──┐                        ┌─ namespaces   clone3: a copy of this process, with other pointers
//!  (a value)   ├─ launch ─▶ child ──────┼─ root         its directory becomes /
//!  Stages    ──┘   │                    ├─ rights       fewer, for good
//!                  ▼                    └─ execve       the copy becomes the program
//!               Running: wait, signal, its terminal
//! ```
//!
//! Read the files in this order:
//!
//! 1. `failure.rs`: what every fallible step of the engine returns: which step, on what, why, and what to do.
//! 2. `container.rs`: the values that say what is wanted: [`Container`], its [`Namespaces`], its [`Process`].
//! 3. `stage.rs`: the one trait of the engine, [`Stage`], and the [`Step`]s it gives to the child.
//! 4. `launch.rs`: `clone3`, the dialogue of parent and child, and the end of both.
//! 5. `steps/`: the child's own steps, in the order in which they run.
//! 6. `root.rs`: how a path inside a container is resolved without ever leaving it.
//! 7. `namespaces.rs`, `mount.rs`, `user.rs`, `capabilities.rs`, `seccomp/`, `scheduling.rs`, `terminal.rs`,
//!    `interpreter.rs`: one concept each; `defaults.rs`: Docker's answers to all of them; `requirements.rs`: what the kernel must have;
//!    `probe.rs`: what it says afterwards.
//! 8. `sys.rs`: the system calls that neither `nix` nor `rustix` has; the only `unsafe` of the chapter.

pub mod capabilities;
mod container;
pub mod defaults;
mod failure;
mod interpreter;
mod launch;
pub mod mount;
mod namespaces;
mod probe;
mod requirements;
mod root;
mod scheduling;
pub mod seccomp;
mod stage;
mod steps;
pub mod sys;
mod terminal;
mod user;

pub use container::{
    Capabilities, Clocks, Container, Device, IdMap, Namespace, Namespaces, Process, Propagation, Rlimit, RootFs,
    UserSpec,
};
pub use failure::{Cause, Context, Failure, Result};
pub use launch::{Launch, Running, Stdio, Timing, enter, launch};
pub use mount::Mount;
pub use namespaces::Kind;
pub use probe::probe;
pub use requirements::requirements;
pub use root::Root;
pub use scheduling::{IoPriority, Scheduler, stay_on};
pub use stage::{Check, Child, Fact, Phase, Requirement, Run, Stage, Step};
pub use steps::of_container as steps;
pub use user::User;
