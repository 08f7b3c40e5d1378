//! The OCI runtime: the commands that containerd, Docker and Podman call (runtime-spec 1.2).
//!
//! 1. `command.rs`: the command line, and the table of commands; `options.rs` takes a line apart.
//! 2. `config.rs`: a bundle's `config.json`; `translate.rs` makes a plan of it, with `mounts.rs`, `resources.rs`,
//!    `scheduling.rs` and `seccomp.rs`. Pure.
//! 3. `record.rs`: what is remembered between two commands; begin with its drawing.
//! 4. `create.rs`: create, start, run; `hooks.rs`, `console.rs`, `copy_up.rs` and `foreground.rs` are what
//!    surrounds them.
//! 5. `exec.rs`: a second process.
//! 6. `lifecycle.rs`: state, kill, delete, pause, resume, list, ps.
//! 7. `usage.rs`: update, events.
//! 8. `describe.rs`: spec, features.

mod command;
mod config;
mod console;
mod copy_up;
mod create;
mod describe;
mod exec;
mod foreground;
mod hooks;
mod lifecycle;
mod mounts;
mod options;
mod record;
mod resources;
mod scheduling;
mod seccomp;
mod translate;
mod usage;

#[cfg(test)]
mod tests;

pub use command::main;
