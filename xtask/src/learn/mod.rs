//! `cargo xtask learn`: take a piece out of the engine, write it again, and let the engine's own tests judge it.
//!
//! An exercise is a hole in the reference: everything else stays as it is, so the whole engine runs on the learner's code,
//! and who is stuck in one exercise can do any other.
//!
//! 1. `exercise.rs`: what an exercise is, and where its metadata is read.
//! 2. `region.rs`: finding a hole's lines in a source and putting others there.
//! 3. `desk.rs`: progress, and how no work is ever lost.
//! 4. `grade.rs`: from what a test printed to expected, found, cause, and where to read.
//! 5. `commands.rs`, `watch.rs`: what the learner types.
//! 6. `copy.rs`: a copy of the checkout, to try things in and for classes.
//! 7. `verify.rs`, `mutants.rs`: the proof that every hole is a good one.
//! 8. `rehearse.rs`: a learner that is a program.

mod commands;
mod copy;
mod desk;
mod exercise;
mod grade;
mod mutants;
mod region;
mod rehearse;
mod table;
mod verify;
mod watch;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use crate::shell;
use desk::Desk;

/// What a learner can ask for.
#[derive(Subcommand)]
pub(crate) enum Learn {
    /// The exercises, with stars and minutes.
    List,
    /// Take a piece out of the source. What was written there before is kept. To start again what you have passed
    /// does not take the pass away.
    Start {
        /// The exercise.
        id: String,
    },
    /// Run the graded test and say what it means.
    Check {
        /// The exercise; the one started last if left out.
        id: Option<String>,
    },
    /// One more hint, of three.
    Hint {
        /// The exercise; the one started last if left out.
        id: Option<String>,
    },
    /// The reference solution beside yours, once yours passes.
    Solution {
        /// The exercise; the one started last if left out.
        id: Option<String>,
        /// Show it before, and put it into the source.
        #[arg(long)]
        give_up: bool,
    },
    /// Put the reference back. What you wrote is kept, and so is the note that you have passed it.
    Reset {
        /// The exercise; the one started last if left out.
        id: Option<String>,
    },
    /// How far you have come.
    Status,
    /// Check again whenever the source is saved.
    Watch {
        /// The exercise; the one started last if left out.
        id: Option<String>,
        /// Check when a key is pressed instead: for file systems that do not tell about changes.
        #[arg(long)]
        manual: bool,
    },
    /// A copy of the checkout with every hole open and no solutions, for a class.
    Export {
        /// The directory to make.
        directory: PathBuf,
    },
    /// Do exercises as a learner does, from a clean clone: start, fail, read a hint, be wrong, be right, run the engine.
    Rehearse {
        /// Only these exercises; without any, all of them.
        ids: Vec<String>,
        /// Only the first exercise of each crate.
        #[arg(long)]
        short: bool,
        /// Do not build and run the engine after each crate's exercises.
        #[arg(long)]
        without_engine: bool,
    },
    /// Prove that every hole is a good one. Works in a copy.
    Verify {
        /// Only these exercises.
        ids: Vec<String>,
    },
}

/// The proof, for all tests of the repository in one command.
pub(crate) fn verify(ids: &[String]) -> Result<()> {
    verify::run(&shell::root(), ids)
}

/// A learner's way through one exercise, for all tests of the repository in one command.
pub(crate) fn rehearse(id: &str) -> Result<()> {
    rehearse::run(&shell::root(), &[id.to_owned()], false, false)
}

/// Does it, in this checkout.
pub(crate) fn run(what: Learn) -> Result<()> {
    let root = shell::root();
    match what {
        Learn::Verify { ids } => verify(&ids),
        Learn::Rehearse { ids, short, without_engine } => rehearse::run(&root, &ids, short, !without_engine),
        Learn::Export { directory } => copy::export(&root, &directory),
        Learn::Watch { id, manual } => watch::run(&mut Desk::open(&root)?, id.as_deref(), manual),
        what => commands::run(&mut Desk::open(&root)?, &what),
    }
}
