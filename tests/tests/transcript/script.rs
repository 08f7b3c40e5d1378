//! The format of a session: what was typed after `$`, then its answer line by line.
//!
//! ```text
//! # a remark
//! $ docker run --rm busybox sh -c 'echo out; echo err >&2; exit 3'
//! | out
//! ! err
//! ? 3
//! ```
//!
//! `|` stands before a line of standard output, `!` before one of standard error, `?` before an exit status other than 0.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

/// One command and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// A line for the shell.
    pub(crate) command: String,
    /// What came of it.
    pub(crate) answer: Answer,
    /// The lines before it that begin with `#`, and empty ones.
    remarks: String,
}

/// What a command printed and how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) status: i32,
}

/// A session.
#[derive(Debug)]
pub(crate) struct Script {
    /// The file's name without `.txt`.
    pub(crate) name: String,
    /// What happens in it.
    pub(crate) entries: Vec<Entry>,
}

impl Script {
    /// All sessions, in the order of their names.
    pub(crate) fn all() -> Vec<Self> {
        let files = std::fs::read_dir(directory()).unwrap().flatten().map(|entry| entry.path());
        let mut names: Vec<String> = files.filter_map(|file| session(&file)).collect();
        names.sort();
        names.into_iter().map(Self::read).collect()
    }

    /// Whether there is a file of this name.
    pub(crate) fn exists(name: &str) -> bool {
        path(name).exists()
    }

    /// Reads the file of this name.
    pub(crate) fn read(name: String) -> Self {
        let entries = parse(&std::fs::read_to_string(path(&name)).unwrap());
        Self { name, entries }
    }

    /// The same session with other entries.
    pub(crate) fn with(self, entries: Vec<Entry>) -> Self {
        Self { entries, ..self }
    }

    /// Writes the file.
    pub(crate) fn write(&self) {
        let text: String = self.entries.iter().map(|entry| format!("{}{entry}", entry.remarks)).collect();
        std::fs::write(path(&self.name), text).unwrap();
    }
}

/// Where the sessions are.
pub(crate) fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/transcripts"))
}

fn path(name: &str) -> PathBuf {
    directory().join(name).with_extension("txt")
}

/// The name of a session's file: those that begin with a digit are sessions.
fn session(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?.strip_suffix(".txt")?;
    name.starts_with(|c: char| c.is_ascii_digit()).then(|| name.to_owned())
}

/// The commands of a text, with their answers.
pub(crate) fn parse(text: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut remarks = String::new();
    for line in text.lines() {
        let (mark, rest) = line.split_at_checked(1).unwrap_or(("#", ""));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        if mark == "$" {
            let remarks = std::mem::take(&mut remarks);
            entries.push(Entry { command: rest.to_owned(), answer: Answer::default(), remarks });
            continue;
        }
        let answer = entries.last_mut().map(|entry| &mut entry.answer);
        match (mark, answer) {
            ("|", Some(answer)) => answer.stdout += &format!("{rest}\n"),
            ("!", Some(answer)) => answer.stderr += &format!("{rest}\n"),
            ("?", Some(answer)) => answer.status = rest.parse().unwrap(),
            ("#", _) => remarks += &format!("{line}\n"),
            _ => panic!("what is this line of a transcript: {line}"),
        }
    }
    entries
}

impl Entry {
    /// The same command with another answer.
    pub(crate) fn answered(&self, answer: Answer) -> Self {
        Self { answer, ..self.clone() }
    }
}

impl Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.command)?;
        for (mark, text) in [('|', &self.answer.stdout), ('!', &self.answer.stderr)] {
            for line in text.lines() {
                writeln!(f, "{}", format!("{mark} {line}").trim_end())?;
            }
        }
        if self.answer.status == 0 { Ok(()) } else { writeln!(f, "? {}", self.answer.status) }
    }
}

#[test]
fn what_is_written_is_read_again() {
    let text = "$ docker ps\n| out\n|\n| more\n! err\n? 3\n$ docker images\n";
    let entries = parse(text);
    assert_eq!(entries[0].answer, Answer { stdout: "out\n\nmore\n".into(), stderr: "err\n".into(), status: 3 });
    assert_eq!(entries.iter().map(ToString::to_string).collect::<String>(), text);
}
