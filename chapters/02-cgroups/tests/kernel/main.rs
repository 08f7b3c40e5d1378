//! Groups on the real kernel, as root, on whichever version the machine has: CI runs the same tests on version 1 and, in a
//! guest, on version 2. Each test has a group of its own at the top of the trees and removes it at the end.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may")]

mod delegated;
mod devices;
mod group;
mod limits;
mod memory;
mod processes;
mod removal;
