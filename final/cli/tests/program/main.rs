//! The program as its users have it, against a daemon that answers as it is told.
//!
//! - `daemon.rs`: that daemon.
//! - `dialogue.rs`: what is asked, in which order, and what is said.
//! - `encrypted.rs`: a daemon at a port, by way of TLS.
//! - `far.rs`: a daemon on another machine, by way of ssh.
//! - `terminal.rs`: raw mode, detach keys, size, signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may stop at once")]

mod daemon;
mod dialogue;
mod encrypted;
mod far;
mod terminal;
