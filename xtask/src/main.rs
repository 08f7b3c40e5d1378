//! `cargo xtask`: the workshop's tools. One file per tool, in the order in which a newcomer meets them:
//!
//! 1. `release.rs`: builds the static binaries; `cargo skiff …` runs the command line from them.
//! 2. `packages.rs`: the Debian packages that tests need, installed by name.
//! 3. `fixtures.rs`: the images that tests run, built once and kept outside the repository.
//! 4. `suite.rs`: runs every test and counts them.
//! 5. `tidy/`: what lints cannot check: lengths, docs, arrows between crates, reading orders.
//! 6. `bench/`: starts, pulls, loads and pushes beside other engines, in one run.
//! 7. `learn/`: the exercises of the workshop.
//! 8. `book.rs`: the book, built, replayed, and looked at in a browser.
//! 9. `guest.rs`: the same tests on a machine with version 2 of cgroups.
//! 10. `suites/`: other people's test suites against `skiffd` and `skiff-runtime`, fetched when they are asked for.
//! 11. `ci.rs`: all of the above in the order that fails soonest.

mod bench;
mod book;
mod ci;
mod fixtures;
mod guest;
mod learn;
mod packages;
mod release;
mod shell;
mod suite;
mod suites;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The workshop's tools.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    /// Build the static release binaries and run `skiff` with these arguments.
    #[command(disable_help_flag = true)]
    Skiff {
        /// Arguments of `skiff`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build the static release binaries and say where they are.
    Build,
    /// Install what the tests need, build the fixtures, run every test, build the book.
    Test {
        /// Only tests whose name contains this.
        filter: Option<String>,
    },
    /// Check what the chapters need of this machine, before anything else is built.
    Doctor,
    /// Run the tests of cgroups and containers in a guest with version 2 of cgroups.
    Guest {
        /// Only tests whose name contains this.
        filter: Option<String>,
    },
    /// Build the images that tests run, if they are missing.
    Fixtures,
    /// Check what lints cannot: lengths, docs, arrows between crates, reading orders.
    Tidy,
    /// Build the book into `book/build`.
    Book {
        /// Also replay, as root, what the pages say that one should type. `TRANSCRIPTS=overwrite` corrects them.
        #[arg(long)]
        check: bool,
        /// Open every page in Chromium as well: nothing on the console, fits a phone, enough contrast, the search finds.
        #[arg(long)]
        browser: bool,
        /// With --browser: put a picture of every page into this directory.
        #[arg(long, value_name = "DIRECTORY", requires = "browser")]
        pictures: Option<std::path::PathBuf>,
        /// Replay only this page: `ready.md`.
        page: Option<String>,
    },
    /// Format, lints, tidy and all tests: what must pass before a change lands.
    Ci,
    /// Exercises: write a piece of the engine again.
    Learn {
        /// What to do.
        #[command(subcommand)]
        what: learn::Learn,
    },
    /// Run a test suite of somebody else against `skiffd`; without a name, say which there are.
    Suites {
        /// Its name: `docker-py`.
        name: Option<String>,
    },
    /// Measure, beside the peers, in one run.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        what: bench::Bench,
    },
}

fn main() -> ExitCode {
    match run(Xtask::parse().tool) {
        Ok(()) => ExitCode::SUCCESS,
        // The causes as one line; a backtrace through a build tool helps nobody.
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(tool: Tool) -> Result<()> {
    match tool {
        Tool::Skiff { args } => release::skiff(&args),
        Tool::Build => release::build().map(|dir| println!("{}", dir.display())),
        Tool::Test { filter } => suite::run(filter.as_deref()),
        Tool::Doctor => {
            println!("{}", doctor::report(&doctor::examine(&doctor::Machine::this())));
            Ok(())
        }
        Tool::Guest { filter } => guest::check(filter.as_deref()),
        Tool::Fixtures => {
            packages::install(packages::FIXTURES)?;
            fixtures::build().map(|fixtures| println!("{}", fixtures.display()))
        }
        Tool::Tidy => tidy::run(),
        Tool::Book { check, browser, pictures, page } => {
            if check { book::check(page.as_deref()) } else { book::build() }?;
            if browser { book::browse(pictures.as_deref()) } else { Ok(()) }
        }
        Tool::Ci => ci::run(),
        Tool::Learn { what } => learn::run(what),
        Tool::Suites { name } => suites::run(name.as_deref()),
        Tool::Bench { what } => bench::run(&what),
    }
}
