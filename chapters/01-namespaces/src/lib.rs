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
//! 2. `container.rs`: the value that says what is wanted, a [`Container`] with its [`Process`], made of values of
//!    `namespaces.rs`, `mount.rs`, `user.rs`, `capabilities.rs`, `scheduling.rs` and `seccomp/`: one concept each, its values
//!    and what the kernel is told of them. `plan.rs`: how they are written down; `defaults.rs`: Docker's answers to all of them.
//! 3. `stage.rs`: the one trait of the engine, [`Stage`], and the [`Step`]s it gives to the child.
//! 4. `launch.rs`: `clone3`, and the end of both parent and child; `options.rs`: how to launch, besides what; `dialogue.rs`: what
//!    the two say to each other.
//! 5. `steps/`: the child's own steps, in the order in which they run.
//! 6. `root.rs`: how a path inside a container is resolved without ever leaving it.
//! 7. `idmap.rs`: who is who in a user namespace; `terminal.rs`, `interpreter.rs`: one concept each; `kernel.rs` and
//!    `requirements.rs`: what the kernel must have; `probe.rs`: what it says afterwards.
//! 8. `sys.rs`: the system calls that neither `nix` nor `rustix` has; the only `unsafe` of the chapter.
//!
//! The files need each other in one direction only: a value knows no step, a step knows no launch.

pub mod capabilities;
mod container;
pub mod defaults;
mod dialogue;
mod failure;
mod idmap;
mod interpreter;
mod kernel;
mod launch;
pub mod mount;
mod namespaces;
mod options;
mod plan;
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

pub use capabilities::Capabilities;
pub use container::{Container, Device, Process, Rlimit, RootFs};
pub use dialogue::Timing;
pub use failure::{Cause, Context, Failure, Result};
pub use launch::{Running, enter, launch};
pub use mount::{Mount, Propagation};
pub use namespaces::{Clocks, IdMap, Kind, Namespace, Namespaces};
pub use options::{Launch, Stdio};
pub use probe::probe;
pub use requirements::requirements;
pub use root::Root;
pub use scheduling::{IoPriority, Scheduler, stay_on};
pub use stage::{Check, Child, Fact, Phase, Requirement, Run, Stage, Step};
pub use steps::of_container as steps;
pub use user::{User, UserSpec};
