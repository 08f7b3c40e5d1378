//! The json-file log: docker's format, so that tools that read docker's logs read ours.
//!
//! ```text
//! {"log":"one line\n","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"}
//! ```
//!
//! All that one read(2) of the container's output gave is one write(2) to the file: a write for each line would be four
//! times slower. The file is only ever appended to, so that a reader never sees half a batch out of order.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use namespaces::{Context, Failure, Result};

use super::lines::Lines;
use super::stream::Stream;
use crate::plan::LogFile;

/// The open log of one container.
#[derive(Debug)]
pub(crate) struct JsonLog {
    path: PathBuf,
    file: File,
    /// Bytes in the current file.
    size: u64,
    max_size: u64,
    max_files: u32,
    /// Entries that are not written yet.
    batch: Vec<u8>,
    lines: [Lines; 2],
    /// The first thing that went wrong. A full disk must not stop the container, so it is told at the end.
    pub(crate) failure: Option<Failure>,
}

impl JsonLog {
    /// Opens the log that the plan asks for, and continues what is there.
    pub(crate) fn open(LogFile { path, max_size, max_files }: &LogFile) -> Result<Self> {
        let file = open(path)?;
        let size = file.metadata().during("measure the log", path.display())?.len();
        Ok(Self {
            path: path.clone(),
            file,
            size,
            max_size: max_size.unwrap_or(u64::MAX),
            max_files: *max_files,
            batch: Vec::new(),
            lines: Default::default(),
            failure: None,
        })
    }

    /// Records what was read from `stream`.
    pub(crate) fn record(&mut self, stream: Stream, data: &[u8]) {
        self.entries(stream, |lines, piece| lines.feed(data, piece));
    }

    /// Both streams have ended: records the last lines, if they had no line feed.
    pub(crate) fn finish(&mut self) {
        for stream in [Stream::Output, Stream::Error] {
            self.entries(stream, |lines, piece| lines.finish(piece));
        }
    }

    /// Records the pieces that `cut` makes. They were read at once, so they have one time.
    fn entries(&mut self, stream: Stream, cut: impl FnOnce(&mut Lines, &mut dyn FnMut(&[u8]))) {
        let mut lines = std::mem::take(self.lines_of(stream));
        let time = Timestamp::now().to_string();
        cut(&mut lines, &mut |piece| {
            if self.size + self.batch.len() as u64 >= self.max_size {
                self.flush();
                self.rotate();
            }
            append_entry(&mut self.batch, piece, stream.name(), &time);
        });
        *self.lines_of(stream) = lines;
        self.flush();
    }

    fn lines_of(&mut self, stream: Stream) -> &mut Lines {
        let [output, error] = &mut self.lines;
        match stream {
            Stream::Output => output,
            Stream::Error => error,
        }
    }

    fn flush(&mut self) {
        let written = self.file.write_all(&self.batch).during("write the log", self.path.display());
        self.size += self.batch.len() as u64;
        self.batch.clear();
        self.note(written);
    }

    /// Begins a new file, and forgets the oldest when there are too many.
    fn rotate(&mut self) {
        let rotated = self.renumber().and_then(|()| open(&self.path)).map(|file| {
            self.file = file;
            self.size = 0;
        });
        self.note(rotated);
    }

    fn renumber(&self) -> Result<()> {
        if self.max_files < 2 {
            return self.file.set_len(0).during("empty the log", self.path.display());
        }
        for number in (1..self.max_files).rev() {
            let (from, to) = (numbered(&self.path, number - 1), numbered(&self.path, number));
            match std::fs::rename(&from, to) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                renamed => renamed.during("rename the log", from.display())?,
            }
        }
        Ok(())
    }

    fn note(&mut self, result: Result<()>) {
        if let Err(failure) = result {
            self.failure.get_or_insert(failure);
        }
    }
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path).during("open the log", path.display())
}

/// `PATH.2`; number 0 is the current file.
fn numbered(path: &Path, number: u32) -> PathBuf {
    match number {
        0 => path.to_path_buf(),
        number => PathBuf::from(format!("{}.{number}", path.display())),
    }
}

fn append_entry(batch: &mut Vec<u8>, piece: &[u8], stream: &str, time: &str) {
    batch.extend_from_slice(b"{\"log\":\"");
    append_escaped(batch, piece);
    batch.extend_from_slice(b"\",\"stream\":\"");
    batch.extend_from_slice(stream.as_bytes());
    batch.extend_from_slice(b"\",\"time\":\"");
    batch.extend_from_slice(time.as_bytes());
    batch.extend_from_slice(b"\"}\n");
}

/// The inside of a JSON string (RFC 8259, section 7). What is no UTF-8 becomes U+FFFD, as JSON has no other bytes.
fn append_escaped(batch: &mut Vec<u8>, piece: &[u8]) {
    for chunk in piece.utf8_chunks() {
        let mut rest = chunk.valid().as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..0x20 | b'"' | b'\\')) {
            let (plain, special) = rest.split_at(at);
            batch.extend_from_slice(plain);
            let (byte, after) = special.split_first().unwrap_or((&b' ', &[]));
            append_escape(batch, *byte);
            rest = after;
        }
        batch.extend_from_slice(rest);
        if !chunk.invalid().is_empty() {
            batch.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

fn append_escape(batch: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' => batch.extend_from_slice(b"\\\""),
        b'\\' => batch.extend_from_slice(b"\\\\"),
        b'\n' => batch.extend_from_slice(b"\\n"),
        b'\r' => batch.extend_from_slice(b"\\r"),
        b'\t' => batch.extend_from_slice(b"\\t"),
        control => batch.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(serde::Deserialize)]
    struct Entry {
        log: String,
        stream: String,
        time: Timestamp,
    }

    fn log(directory: &Path, max_size: Option<u64>, max_files: u32) -> JsonLog {
        let path = directory.join("ab-json.log");
        JsonLog::open(&LogFile { path, max_size, max_files }).unwrap()
    }

    fn entries(path: &Path) -> Vec<Entry> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn two_streams_with_their_own_unfinished_lines() {
        let directory = tempfile::tempdir().unwrap();
        let mut log = log(directory.path(), None, 1);
        log.record(Stream::Output, b"one\nhalf ");
        log.record(Stream::Error, b"oops\n");
        log.record(Stream::Output, b"\"two\"\t\\\x01\n");
        log.record(Stream::Error, b"\xff\xfe end");
        log.finish();
        let text = std::fs::read_to_string(&log.path).unwrap();
        insta::with_settings!({ filters => [(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "[time]")] }, {
            insta::assert_snapshot!(text, @r#"
            {"log":"one\n","stream":"stdout","time":"[time]"}
            {"log":"oops\n","stream":"stderr","time":"[time]"}
            {"log":"half \"two\"\t\\\u0001\n","stream":"stdout","time":"[time]"}
            {"log":"�� end","stream":"stderr","time":"[time]"}
            "#);
        });
    }

    #[test]
    fn a_log_continues_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        log(directory.path(), None, 1).record(Stream::Output, b"before\n");
        let mut second = log(directory.path(), Some(10), 1);
        second.record(Stream::Output, b"after\n");
        let logs: Vec<_> = entries(&second.path).into_iter().map(|entry| entry.log).collect();
        assert_eq!(logs, ["after\n"], "its size counts, so it was full");
    }

    #[test]
    fn a_full_disk_is_told_once_and_does_not_stop_anything() {
        let log = LogFile { path: "/dev/full".into(), max_size: None, max_files: 1 };
        let mut log = JsonLog::open(&log).unwrap();
        log.record(Stream::Output, b"one\n");
        log.record(Stream::Output, b"two\n");
        insta::assert_snapshot!(log.failure.unwrap(), @"cannot write the log /dev/full: No space left on device");
    }

    proptest! {
        #[test]
        fn text_comes_back_as_it_was(chunks in prop::collection::vec((any::<bool>(), ".{0,40}\n?"), 0..20)) {
            let directory = tempfile::tempdir().unwrap();
            let mut log = log(directory.path(), None, 1);
            for (error, text) in &chunks {
                log.record(if *error { Stream::Error } else { Stream::Output }, text.as_bytes());
            }
            log.finish();
            let entries = entries(&log.path);
            for (error, name) in [(false, "stdout"), (true, "stderr")] {
                let sent: String = chunks.iter().filter(|(e, _)| *e == error).map(|(_, text)| text.as_str()).collect();
                let kept: String = entries.iter().filter(|e| e.stream == name).map(|e| e.log.as_str()).collect();
                prop_assert_eq!(sent, kept);
            }
            prop_assert!(entries.is_sorted_by_key(|entry| entry.time));
        }

        #[test]
        fn rotation_keeps_the_newest_in_order(lines in 1_usize..60, max_size in 1_u64..400, max_files in 0_u32..5) {
            let directory = tempfile::tempdir().unwrap();
            let mut log = log(directory.path(), Some(max_size), max_files);
            for number in 0..lines {
                log.record(Stream::Output, format!("{number}\n").as_bytes());
            }
            prop_assert!(log.failure.is_none());
            let files = max_files.max(1);
            prop_assert!(std::fs::read_dir(directory.path()).unwrap().count() <= files as usize);
            let mut kept = Vec::new();
            for number in (0..files).rev() {
                let path = numbered(&log.path, number);
                let size = std::fs::metadata(&path).map_or(0, |meta| meta.len());
                prop_assert!(size < max_size + 100, "at most the entry that fills it");
                kept.extend(entries(&path).into_iter().map(|entry| entry.log.trim().parse::<usize>().unwrap()));
            }
            prop_assert_eq!(kept.last().copied(), Some(lines - 1));
            prop_assert!(kept.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{kept:?}");
        }
    }
}
