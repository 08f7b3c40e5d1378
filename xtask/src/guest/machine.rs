//! Switch on, read the serial line, switch off.
//!
//! Emulated, a machine is some ten times slower than this one, and this one may be busy. So nothing here is measured: the
//! guest may be silent for a long time, and is given up only when that cannot be slowness any more.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::Outcome;
use super::kernel::Kernel;

/// How long no line may come. One test says nothing for as long as it waits for something, a minute at most.
const SILENCE: Duration = Duration::from_mins(4);

/// Starts the guest, runs its tests, and tells what they said. The disk is as before afterwards.
pub(crate) fn run(kernel: &Kernel, initrd: &Path, disk: &Path, filter: Option<&str>) -> Result<Outcome> {
    let mut command = Command::new("/usr/bin/qemu-system-x86_64");
    command.args(["-M", "q35", "-smp", "1", "-accel", "tcg", "-cpu", "max", "-m", "1024"]);
    command.args(["-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-serial", "stdio"]);
    command.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(initrd);
    command.arg("-drive").arg(format!("file={},if=virtio,format=raw,snapshot=on", disk.display()));
    let filter = filter.map(|filter| format!(" skiff.filter={filter}")).unwrap_or_default();
    command.args(["-append", &format!("console=ttyS0 panic=-1 quiet{filter}")]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start the emulator qemu-system-x86_64")?;

    let (sender, receiver) = mpsc::channel();
    let serial = child.stdout.take().context("the serial line is not a pipe")?;
    let errors = child.stderr.take().context("the emulator's errors are not a pipe")?;
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(serial).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                break;
            }
        }
    });
    let complaints = std::thread::spawn(move || std::io::read_to_string(errors).unwrap_or_default());
    let mut log = Log::default();
    let silent = loop {
        match receiver.recv_timeout(SILENCE) {
            Ok(line) => log.add(&line),
            Err(RecvTimeoutError::Disconnected) => break false,
            Err(RecvTimeoutError::Timeout) => break true,
        }
    };
    // Nothing that it does after its last word matters.
    let _switched_off_already = child.kill();
    child.wait()?;
    let _ended = reader.join();
    let complaints = complaints.join().unwrap_or_default();
    if !log.done {
        let why = if silent { "was silent for four minutes" } else { "ended before its tests did" };
        let last: Vec<_> = log.last.into_iter().collect();
        bail!("the guest {why}. The emulator said: {}\nIts last lines were:\n{}", complaints.trim(), last.join("\n"));
    }
    Ok(log.outcome)
}

/// What has come over the serial line.
#[derive(Debug, Default)]
struct Log {
    outcome: Outcome,
    /// The test program that runs, and how many of its tests have failed.
    program: String,
    failures: usize,
    done: bool,
    /// For a person who has to find out why the guest did not come to its end.
    last: VecDeque<String>,
}

impl Log {
    /// Reads a line and shows it, but for the firmware's.
    fn add(&mut self, line: &str) {
        if !self.program.is_empty() || line.contains("SKIFF-GUEST") {
            println!("guest: {line}");
        }
        self.last.push_back(line.to_owned());
        if self.last.len() > 40 {
            self.last.pop_front();
        }
        if let Some(event) = line.split_once("SKIFF-GUEST ").map(|(_, event)| event) {
            self.event(event);
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... ok")) {
            self.outcome.named.push(name.to_owned());
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures += 1;
            self.outcome.failed.push(name.to_owned());
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            let passed =
                counts.split_once(" passed").and_then(|(before, _)| before.rsplit(' ').next()?.parse::<u64>().ok());
            self.outcome.passed += passed.unwrap_or(0);
        }
    }

    fn event(&mut self, event: &str) {
        match event.split_once(": ") {
            Some(("runs", name)) => (self.program, self.failures) = (name.to_owned(), 0),
            // A program that failed without naming a test was ended by a signal, or could not be started.
            Some(("ended", status)) if !status.starts_with("0 ") && self.failures == 0 => {
                self.outcome.failed.push(format!("{} as a whole", self.program));
            }
            None if event == "done" => self.done = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_line_is_understood() {
        let mut log = Log::default();
        for line in [
            "SeaBIOS (version 1.16.2-debian-1.16.2-1)",
            "\u{1b}[2JSKIFF-GUEST up: cpuset cpu io memory",
            "SKIFF-GUEST runs: cgroups kernel",
            "test limits::one ... ok",
            "test limits::two ... FAILED",
            "test result: FAILED. 12 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.23s",
            "SKIFF-GUEST ended: 101 cgroups kernel",
            "SKIFF-GUEST runs: namespaces launch",
            "SKIFF-GUEST ended: 139 namespaces launch",
            "SKIFF-GUEST done",
        ] {
            log.add(line);
        }
        assert!(log.done);
        assert_eq!(log.outcome.passed, 12);
        assert_eq!(log.outcome.failed, ["limits::two", "namespaces launch as a whole"]);
    }
}
