//! Images on the move: `pull`, `load` and `push`, of one large layer and of twenty.
//!
//! Every turn begins on a new file system with a daemon that has just been started, so that nobody has anything yet and
//! nobody pays for what an earlier turn has left to be cleaned up.
//!
//! - `ground.rs`: that file system.
//! - `engine.rs`: the contestants and their commands.
//! - `fixture.rs`: the two images, in a registry and as archives.

mod engine;
mod fixture;
mod ground;

use anyhow::Result;
use clap::Args;

use self::engine::Engine;
use self::fixture::{Fixture, IMAGES, name, new_name};
use self::ground::Ground;
use super::paired::{Contestant, Race, timed};
use super::room::Room;
use crate::{fixtures, packages, release};

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Turns of each contestant.
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// Keep the contestants' file systems in this directory instead of in memory, to see what the disk adds.
    #[arg(long)]
    disk: Option<std::path::PathBuf>,
}

/// What is done with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Move {
    /// From the registry.
    Pull,
    /// From an archive.
    Load,
    /// To the registry, under a name that it does not have.
    Push,
}

/// Races with each image, and prints a table for each.
pub(crate) fn race(what: Move, options: &Options) -> Result<()> {
    for list in [packages::FIXTURES, packages::PEERS, packages::ENGINES] {
        packages::install(list)?;
    }
    let debian = fixtures::build()?.join("debian.tar");
    let binaries = release::build()?;
    let room = Room::open()?;
    let fixture = Fixture::make(&room, &debian, options.disk.as_deref())?;
    let engines: Vec<_> = Engine::all(binaries).into_iter().filter(|engine| engine.can(what)).collect();
    for image in IMAGES {
        one(what, image, &engines, &room, &fixture, options)?;
    }
    Ok(())
}

/// One image: the engines take turns.
fn one(
    what: Move,
    image: &str,
    engines: &[Engine],
    room: &Room,
    fixture: &Fixture<'_>,
    options: &Options,
) -> Result<()> {
    let mut contestants: Vec<_> = engines.iter().map(|engine| Contestant::new(engine.name(), Vec::new())).collect();
    let mut peaks = vec![0; engines.len()];
    for turn in 0..options.runs {
        for ((engine, contestant), peak) in engines.iter().zip(&mut contestants).zip(&mut peaks) {
            let _ground = Ground::new(room)?;
            let daemon = engine.start(room)?;
            if what == Move::Push {
                timed(&engine.words(room, Move::Load, &fixture.archive(image)))?;
                timed(&engine.tag(room, &name(image), &new_name(image, engine, turn)))?;
            }
            let object = match what {
                Move::Pull => name(image),
                Move::Load => fixture.archive(image),
                Move::Push => new_name(image, engine, turn),
            };
            room.script("sync -f \"$1\"", &[&ground::place(room)])?;
            contestant.note(timed(&engine.words(room, what, &object))?);
            *peak = daemon.map_or(Ok(0), |daemon| daemon.peak())?.max(*peak);
        }
    }
    println!("{what:?} of {image}");
    println!("{}", Race::noted(&contestants).table(engine::DOCKER));
    for (engine, peak) in engines.iter().zip(peaks).filter(|(_, peak)| *peak > 0) {
        println!("the daemon of {} had at most {} MB of memory", engine.name(), peak >> 20);
    }
    println!();
    Ok(())
}
