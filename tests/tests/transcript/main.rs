//! The transcript: hundreds of `docker` commands, what a dockerd from Debian answers, and that ours answers the same.
//!
//! `tests/transcripts/NN-SUBJECT.txt` has the commands with the recorded answers. Each file is a session on a daemon that
//! has one image, `busybox`. The same commands run here through the real `docker` and through `skiff`, both against `skiffd`.
//!
//! 1. `script.rs`: the format of the files.
//! 2. `normal.rs`: what may differ from run to run (ids, times, sizes).
//! 3. `player.rs`: running a session.
//! 4. `expected.rs`: the recorded answer, or the reason why ours is another one (`differences.md`).
//!
//! `TRANSCRIPTS=overwrite cargo test -p skiff-tests --test transcript` records again: with docker 28 as the client it writes
//! the answers; with another version it writes what that client prints otherwise, to `client-VERSION.txt`.
//! `TRANSCRIPTS=dockerd` plays them through `skiff` on a dockerd.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::format_collect, clippy::format_push_string, reason = "short texts; what they say counts")]
#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

mod expected;
mod normal;
mod player;
mod script;

use std::fmt::Write as _;
use std::path::PathBuf;

use skiff_tests::{Daemon, Dockerd, binary};

use expected::{Client, Expected};
use player::Player;
use script::{Entry, Script};

/// The version of the client that the answers were recorded with.
const RECORDED_WITH: &str = "28";

#[test]
fn docker_gets_the_answers_that_a_real_dockerd_gives() {
    let client = player::docker_on_path();
    let version = player::client_version(&client);
    if std::env::var("TRANSCRIPTS").is_ok_and(|mode| mode == "overwrite") {
        return record(client, &version);
    }
    compare(client, &Client::Docker(version));
}

#[test]
fn skiff_prints_what_docker_prints() {
    if std::env::var("TRANSCRIPTS").is_err() {
        compare(binary("skiff"), &Client::Skiff);
    }
}

/// Our command line is one for any daemon. Only with `TRANSCRIPTS=dockerd`, because it needs a real one, and a minute.
#[test]
fn skiff_prints_what_docker_prints_on_a_dockerd() {
    if std::env::var("TRANSCRIPTS").is_ok_and(|mode| mode == "dockerd") {
        let dockerd = Dockerd::start(&player::docker_on_path(), &[]);
        let player = Player::new(binary("skiff"), &dockerd.socket(), dockerd.directory());
        let wrong = wrong(&player, &Expected::of(&Client::SkiffOnDockerd));
        assert!(wrong.is_empty(), "{wrong}");
    }
}

#[test]
fn every_difference_is_one() {
    let entries: Vec<Entry> = Script::all().into_iter().flat_map(|script| script.entries).collect();
    for (_, different) in expected::differences() {
        let recorded = entries.iter().filter(|entry| entry.command == different.command);
        assert!(recorded.clone().count() > 0, "no session has the command `{}`", different.command);
        let same = recorded.clone().any(|recorded| recorded.answer == different.answer);
        assert!(!same, "`{}` is no difference any more", different.command);
    }
    assert!(entries.len() >= 250, "{} commands", entries.len());
}

/// Plays all sessions on one `skiffd`, each on a clean slate, and compares.
fn compare(program: PathBuf, client: &Client) {
    let daemon = Daemon::start();
    // The image that every skiffd brings along; dockerd has none.
    daemon.skiff(&["rmi", "hello"]).ok();
    let expected = Expected::of(client);
    let player = Player::new(program, &daemon.socket(), daemon.directory());
    let wrong = wrong(&player, &expected);
    assert!(wrong.is_empty(), "{wrong}\n--- log of skiffd\n{}", daemon.log());
    daemon.finish();
}

/// Plays the sessions, those with `TRANSCRIPT` in their names, and tells what is not as expected.
fn wrong(player: &Player, expected: &Expected) -> String {
    let mut wrong = String::new();
    let only = std::env::var("TRANSCRIPT").unwrap_or_default();
    for script in Script::all().into_iter().filter(|script| script.name.contains(&only)) {
        for recorded in &script.entries {
            let got = player.play(&script.name, recorded);
            if !expected.accepts(recorded, &got) {
                let _ = writeln!(wrong, "=== {}\n--- expected\n{}--- got\n{got}", script.name, recorded);
            }
        }
    }
    wrong
}

/// Plays all sessions on a real dockerd and writes down what it answers.
fn record(client: PathBuf, version: &str) {
    let dockerd = Dockerd::start(&client, &[]);
    let player = Player::new(client, &dockerd.socket(), dockerd.directory());
    let mut others = Vec::new();
    for script in Script::all() {
        let answered: Vec<Entry> = script.entries.iter().map(|entry| player.play(&script.name, entry)).collect();
        let different = answered.iter().zip(&script.entries).filter(|(new, old)| new.answer != old.answer);
        others.extend(different.map(|(new, _)| new.clone()));
        if version == RECORDED_WITH {
            script.with(answered).write();
        }
    }
    if version != RECORDED_WITH {
        Script { name: expected::client_file(version), entries: others }.write();
    }
}
