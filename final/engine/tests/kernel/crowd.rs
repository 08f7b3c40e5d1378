//! Many clients who do not know of each other, all at the same few containers. Whatever they get for an answer, nobody waits for
//! ever, and in the end nothing is left.

use std::time::Duration;

use skiff_engine::models::{ExecConfig, ExecStartConfig};
use skiff_engine::{Engine, Kind};
use tokio::time::Instant;

use crate::rig::{self, hosted, script, within};

/// A small generator (xorshift): the same moves each time, in whatever order the machine runs them.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

async fn client(engine: Engine, seed: u64, end: Instant) {
    let mut dice = Dice(seed);
    let containers = &engine.containers;
    while Instant::now() < end {
        // A client of the real engine comes through a socket; here a refusal would come back without ever letting others run.
        tokio::task::yield_now().await;
        let name = ["ann", "bob", "cid"][usize::try_from(dice.roll(3)).unwrap()];
        let lives = if dice.roll(2) == 0 { "sleep 100" } else { "sleep 0.05" };
        let removes = dice.roll(3) == 0;
        let body = hosted(script(lives), |host| {
            host.auto_remove = Some(removes);
            host.network_mode = Some(if dice.roll(4) == 0 { "bridge" } else { "none" }.into());
        });
        let exec = ExecConfig { cmd: Some(vec!["true".into()]), ..ExecConfig::default() };
        let done = match dice.roll(10) {
            0 | 1 => within(Box::pin(containers.create(Some(name), None, body))).await.map(drop),
            2 | 3 => within(containers.start(name)).await,
            4 => within(containers.stop(name, None, Some(0))).await,
            5 => within(containers.kill(name, None)).await,
            6 => within(containers.restart(name, None, Some(0))).await,
            7 => within(containers.remove(name, dice.roll(2) == 0, true)).await,
            // Undone by whoever did it: an exec that is on its way into a frozen container waits for that.
            8 => match within(containers.pause(name)).await {
                Ok(()) => within(containers.unpause(name)).await,
                Err(refused) => Err(refused),
            },
            _ => match containers.exec_create(name, exec) {
                Ok(id) => within(containers.exec_start(&id, ExecStartConfig::default())).await.map(drop),
                Err(refused) => Err(refused),
            },
        };
        if let Err(error) = done {
            let expected = matches!(error.kind, Kind::NotFound | Kind::Conflict | Kind::NotModified);
            // The last is what is said while the engine is being killed.
            assert!(expected || error.message.starts_with("a task of the engine ended early"), "{error}");
        }
    }
}

#[test]
fn nobody_waits_for_ever() {
    rig::engine(async |engine| {
        let end = Instant::now() + Duration::from_secs(6);
        let crowd: Vec<_> = (1..=8).map(|seed| tokio::spawn(client(engine.clone(), seed * 7919, end))).collect();
        for one in crowd {
            one.await.unwrap();
        }
    });
}

#[test]
fn an_engine_that_is_killed_in_a_crowd_leaves_nothing_to_the_next() {
    let rig = rig::Rig::new();
    for round in 0..4 {
        rig.with(async |engine| {
            let end = Instant::now() + Duration::from_mins(1);
            for seed in 1..=6 {
                tokio::spawn(client(engine.clone(), (round * 10 + seed) * 104_729, end));
            }
            tokio::time::sleep(Duration::from_millis(700)).await;
        });
    }
    rig.finish();
}
