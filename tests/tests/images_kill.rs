//! The engine dies at any moment while images come and go, and the store is whole afterwards: nothing is lost that was
//! reported complete, nothing is left that nobody needs.
//!
//! 6 deaths by default, 50 with `SKIFF_SOAK=1`. `SKIFF_SEED` repeats a run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use skiff_tests::{Daemon, Registry};

/// What goes on when the engine dies.
#[derive(Debug, Clone, Copy)]
enum Work {
    Pull,
    Load,
    Import,
    Rmi,
    Prune,
}

const ALL: [Work; 5] = [Work::Pull, Work::Load, Work::Import, Work::Rmi, Work::Prune];

/// Numbers that look random and are the same for the same seed (xorshift64, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// An archive of enough files for the engine to die in the middle of them.
fn files(directory: &Path, random: &mut Random) -> String {
    let tree = directory.join("tree");
    for number in 0..800 {
        let place = tree.join(format!("{}", number % 40));
        fs::create_dir_all(&place).unwrap();
        let text: Vec<u8> = (0..5000).map(|_| b'!' + u8::try_from(random.below(90)).unwrap()).collect();
        fs::write(place.join(number.to_string()), text).unwrap();
    }
    let archive = directory.join("tree.tar").display().to_string();
    let mut command = Command::new("tar");
    command.arg("-C").arg(&tree).args(["-cf", &archive, "."]);
    assert!(command.status().unwrap().success());
    fs::remove_dir_all(&tree).unwrap();
    archive
}

/// Starts what is to be interrupted.
fn begin(daemon: &Daemon, work: Work, registry: &str, archive: &str) -> Child {
    let pulled = format!("{registry}/app:v1");
    let words = match work {
        Work::Pull => vec!["pull", &pulled],
        Work::Load => vec!["load", "-i", archive],
        Work::Import => vec!["import", archive, "imported:v1"],
        Work::Rmi => vec!["rmi", "-f", &pulled, "kept:v2"],
        Work::Prune => vec!["image", "prune", "-af"],
    };
    let mut command = daemon.command("skiff", &words);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The store is whole, and its files are exactly those that its images need.
fn assert_sound(daemon: &Daemon, told: &str) {
    let checked = daemon.skiff(&["system", "check"]);
    assert!(checked.code == 0 && checked.stdout.contains("All is well"), "{told}: {checked}");
    let again = daemon.skiff(&["system", "check"]);
    assert!(!again.stdout.contains("Removed"), "{told}: something was left: {again}");
    let data = daemon.directory().join("data");
    let unfinished: Vec<_> = fs::read_dir(data.join("images/unfinished")).unwrap().flatten().collect();
    assert!(unfinished.is_empty(), "{told}: {unfinished:?}");
    let layers = fs::read_dir(data.join("layers")).unwrap().flatten().map(|entry| entry.file_name());
    let odd: Vec<_> = layers.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(odd.is_empty(), "{told}: {odd:?}");
    // A program runs from what is there.
    assert_eq!(daemon.skiff(&["run", "--rm", "--network", "none", "kept:v1", "echo", "whole"]).ok(), "whole", "{told}");
}

#[test]
fn the_store_outlives_the_engine() {
    let deaths = if std::env::var_os("SKIFF_SOAK").is_some() { 50 } else { 6 };
    let seed = std::env::var("SKIFF_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed_0002);
    let mut random = Random(seed);
    let mut daemon = Daemon::start();
    daemon.skiff(&["tag", "busybox:latest", "kept:v1"]).ok();
    let registry = Registry::start(daemon.pid());
    let name = format!("{}/app:v1", registry.address);
    let tree = files(daemon.directory(), &mut random);
    daemon.skiff(&["import", &tree, &name]).ok();
    daemon.skiff(&["push", &name]).ok();
    let archive = daemon.directory().join("saved.tar").display().to_string();
    daemon.skiff(&["save", "-o", &archive, &name]).ok();
    // A container holds its image through everything.
    let container = daemon.skiff(&["create", "--network", "none", "kept:v1", "true"]).ok().to_owned();

    for death in 0..deaths {
        let work = ALL[death % ALL.len()];
        let pause = random.below(500);
        let told = format!("seed {seed}, death {death}, {work:?} after {pause} ms");
        match work {
            Work::Pull | Work::Load => drop(daemon.skiff(&["rmi", "-f", &name])),
            _ => drop(daemon.skiff(&["pull", &name]).ok()),
        }
        daemon.skiff(&["tag", "kept:v1", "kept:v2"]).ok();
        let mut client = begin(&daemon, work, &registry.address, &archive);
        // The moment is what is random here: nothing is expected to have happened by then.
        thread::sleep(Duration::from_millis(pause));
        let done = client.try_wait().unwrap().is_some_and(|status| status.success());
        daemon.crash();
        client.wait().unwrap();
        daemon.restart();
        if done && matches!(work, Work::Pull | Work::Load) {
            assert_eq!(daemon.skiff(&["inspect", "--format", "{{.Os}}", &name]).ok(), "linux", "{told}");
        }
        assert_sound(&daemon, &told);
        daemon.skiff(&["pull", &name]).ok();
    }
    daemon.skiff(&["rm", &container]).ok();
    drop(registry);
    daemon.finish();
}
