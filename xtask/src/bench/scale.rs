//! What commands cost when there are many containers, beside what they cost with ten: ours, and docker's with fewer, because
//! it takes a quarter of a second to start each.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::paired::median;
use super::peers::{self, SKIFF};
use super::room::{Daemon, Room, command};
use crate::{fixtures, packages, release, shell};

/// How many containers there are at first, all of them running.
const FEW: usize = 10;

/// An engine, and the beginning of a command for it.
struct Engine<'a> {
    name: &'static str,
    daemon: &'a Daemon,
    client: Vec<String>,
}

/// What is measured, in milliseconds.
struct Costs {
    commands: Vec<(&'static str, f64)>,
    /// Kilobytes that the daemon has in memory, and its descriptors.
    kilobytes: u64,
    descriptors: usize,
}

/// Measures both engines and prints their tables: `containers` of which `running` run, for docker `of_docker`.
pub(super) fn run(containers: usize, running: usize, of_docker: usize) -> Result<()> {
    for list in [packages::FIXTURES, packages::PEERS, packages::ENGINES] {
        packages::install(list)?;
    }
    let busybox = fixtures::build()?.join("busybox.tar");
    let binaries = release::build()?;
    let room = Room::open()?;
    let skiffd = peers::skiffd(&room, &binaries, SKIFF, &[])?;
    let socket = |name: &str| ["-H".to_owned(), format!("unix://{}", room.path(&format!("{name}.sock")))];
    let own = [&[binaries.join("skiff").display().to_string()], &socket(SKIFF)[..]].concat();
    let import = |client: &[String]| shell::output(command(client)?.arg("import").arg(&busybox).arg("busybox:latest"));
    import(&own)?;
    Engine { name: "skiff", daemon: &skiffd, client: own.clone() }.compare(containers, running)?;
    drop(skiffd);
    let began = Instant::now();
    let skiffd = peers::skiffd(&room, &binaries, SKIFF, &[])?;
    shell::output(command(&own)?.arg("version"))?;
    println!("a new daemon answers after {:.0} ms, and has {} kB", milliseconds(began.elapsed()), skiffd.resident()?);
    Engine { name: "skiff", daemon: &skiffd, client: own }.remove_all()?;
    if of_docker > FEW {
        let dockerd = peers::dockerd(&room)?;
        let client = [&["docker".to_owned()], &socket("docker")[..]].concat();
        import(&client)?;
        let docker = Engine { name: "docker", daemon: &dockerd, client };
        docker.compare(of_docker, of_docker * running / containers.max(1))?;
        docker.remove_all()?;
    }
    Ok(())
}

impl Engine<'_> {
    fn ask(&self, words: &[&str]) -> Result<String> {
        shell::output(command(&self.client)?.args(words))
    }

    /// Ten, then many.
    fn compare(&self, containers: usize, running: usize) -> Result<()> {
        self.make(0..FEW, FEW)?;
        self.measure()?;
        let few = self.measure()?;
        self.make(FEW..containers, running)?;
        let many = self.measure()?;
        let title = format!("{}, {containers} of which {running} run", self.name);
        println!("\n{title:<36}{:>10}{:>10}{:>8}", format!("{FEW} (ms)"), "many (ms)", "ratio");
        for ((name, few), (_, many)) in few.commands.iter().zip(&many.commands) {
            println!("{name:<36}{few:>10.2}{many:>10.2}{:>8.2}", many / few);
        }
        let more = u64::try_from(containers - FEW)?;
        let each = (many.kilobytes.saturating_sub(few.kilobytes) << 10) / more.max(1);
        println!("daemon: {} kB, then {} kB: {each} bytes each", few.kilobytes, many.kilobytes);
        println!("descriptors: {}, then {}", few.descriptors, many.descriptors);
        Ok(())
    }

    /// Makes these; those below `running` are started.
    fn make(&self, numbers: std::ops::Range<usize>, running: usize) -> Result<()> {
        for number in numbers {
            let how: &[&str] = if number < running { &["run", "-d"] } else { &["create"] };
            self.ask(&[how, &["--name", &format!("c{number}"), "busybox", "sleep", "36000"]].concat())?;
        }
        Ok(())
    }

    fn measure(&self) -> Result<Costs> {
        let extra: Vec<String> = (0..15).map(|number| format!("extra{number}")).collect();
        let mut commands = vec![
            ("ps, all that run", self.times(&["ps"], &extra)?),
            ("ps -a, all", self.times(&["ps", "-a"], &extra)?),
            ("ps -l, one row", self.times(&["ps", "-l"], &extra)?),
            ("ps -a --filter name=, one row", self.times(&["ps", "-a", "--filter", "name=c5$"], &extra)?),
            ("inspect", self.times(&["inspect", "c5"], &extra)?),
            ("exec", self.times(&["exec", "c5", "true"], &extra)?),
        ];
        let mut create = Vec::new();
        for name in &extra {
            let began = Instant::now();
            self.ask(&["create", "--name", name, "busybox", "sleep", "36000"])?;
            create.push(milliseconds(began.elapsed()));
        }
        commands.push(("create", median(create)));
        for (what, words) in [("start", &["start"][..]), ("kill", &["kill"]), ("rm", &["rm"])] {
            let mut took = Vec::new();
            for name in &extra {
                let began = Instant::now();
                self.ask(&[words, &[name]].concat())?;
                took.push(milliseconds(began.elapsed()));
            }
            if what == "kill" {
                self.ask(&[&["wait"], &extra.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat())?;
            }
            commands.push((what, median(took)));
        }
        Ok(Costs { commands, kilobytes: self.daemon.resident()?, descriptors: self.daemon.descriptors()? })
    }

    /// The median of as many runs as there are names.
    fn times(&self, words: &[&str], names: &[String]) -> Result<f64> {
        let mut took = Vec::new();
        for _ in names {
            let began = Instant::now();
            self.ask(words).with_context(|| words.join(" "))?;
            took.push(milliseconds(began.elapsed()));
        }
        Ok(median(took))
    }

    /// Removes all containers: ours would outlive their daemon.
    fn remove_all(&self) -> Result<()> {
        let all = self.ask(&["ps", "-aq"])?;
        let began = Instant::now();
        let mut remove: Command = command(&self.client)?;
        shell::output(remove.args(["rm", "-f"]).args(all.lines()))?;
        println!("{} containers are removed in {:.1} s", all.lines().count(), began.elapsed().as_secs_f64());
        Ok(())
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
