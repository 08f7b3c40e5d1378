//! Checking again and again: whenever the source is saved, or, in manual mode, whenever a key is pressed.
//!
//! Changes are found by looking at the file's time twice a second. That works on every file system, also on those that do not
//! tell about changes (NFS, a folder shared with a virtual machine).

use std::io::BufRead as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, SystemTime};

use anyhow::Result;

use super::commands;
use super::desk::Desk;
use super::exercise::Exercise;

/// How often the file is looked at.
const GLANCE: Duration = Duration::from_millis(500);

/// Checks until the learner quits or the input ends.
pub(crate) fn run(desk: &mut Desk, id: Option<&str>, manual: bool) -> Result<()> {
    let exercise = desk.exercise(id)?;
    let keys = keys();
    let mut seen = None;
    loop {
        let saved = saved(desk, &exercise);
        if saved != seen {
            println!("Checking {} …", exercise.id);
            print!("{}", checked(desk, &exercise)?);
            prompt(manual);
            seen = saved;
        }
        let key = match keys.recv_timeout(GLANCE) {
            Ok(key) => key,
            Err(RecvTimeoutError::Timeout) => {
                // In manual mode a newer file does not count until somebody asks.
                seen = if manual { self::saved(desk, &exercise) } else { seen };
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        match key.trim() {
            "q" => return Ok(()),
            "h" => print!("{}", commands::hint(desk, Some(&exercise.id))?),
            "s" => match commands::solution(desk, Some(&exercise.id), false) {
                Ok(text) => print!("{text}"),
                Err(refused) => println!("{refused}"),
            },
            "" | "c" => seen = None,
            other => println!("There is no key {other:?}."),
        }
        if seen.is_some() {
            prompt(manual);
        }
    }
}

fn checked(desk: &mut Desk, exercise: &Exercise) -> Result<String> {
    let verdict = commands::check(desk, exercise)?;
    Ok(commands::said(desk, exercise, &verdict))
}

fn prompt(manual: bool) {
    let how = if manual {
        "Manual mode: nothing happens until you press a key.\n"
    } else {
        "Save the file to check again, or "
    };
    println!("{how}press, with Enter:  c check   h hint   s solution   q quit");
}

/// Lines of the standard input, from a thread of their own: reading them cannot be given up after half a second.
fn keys() -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    receive
}

/// When the source was saved last.
fn saved(desk: &Desk, exercise: &Exercise) -> Option<SystemTime> {
    std::fs::metadata(desk.root.join(exercise.source())).and_then(|file| file.modified()).ok()
}
