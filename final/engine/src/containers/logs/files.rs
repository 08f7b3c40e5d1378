//! The files of a log: the current one, and older ones with a number. Lines are read from the oldest on.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::entry::Goes;

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// One file being read.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    /// Its inode: what it is, whatever it is called by now.
    pub(super) inode: u64,
    /// The beginning of a line whose end has not been written yet.
    begun: Vec<u8>,
    piece: Vec<u8>,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Self { file, inode, begun: Vec::new(), piece: Vec::new() })
    }

    /// Gives each complete line from here to the end of the file to `each`.
    pub(super) fn lines(&mut self, mut each: impl FnMut(&[u8]) -> Goes) -> io::Result<Goes> {
        self.start_over_if_emptied()?;
        self.piece.resize(PIECE, 0);
        loop {
            let read = self.file.read(&mut self.piece)?;
            let Some(piece) = self.piece.get(..read).filter(|piece| !piece.is_empty()) else {
                // A client that follows for days keeps no buffer meanwhile.
                self.piece = Vec::new();
                return Ok(Goes::On);
            };
            for part in piece.split_inclusive(|byte| *byte == b'\n') {
                self.begun.extend_from_slice(part);
                if part.ends_with(b"\n") {
                    let goes = each(&self.begun);
                    self.begun.clear();
                    if goes == Goes::Enough {
                        return Ok(goes);
                    }
                }
            }
        }
    }

    /// A log of one file only is emptied instead of rotated.
    fn start_over_if_emptied(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() < self.file.stream_position()? {
            self.file.rewind()?;
            self.begun.clear();
        }
        Ok(())
    }

    /// How many lines there are, and where the last `wanted` of them begin, looking from the end.
    fn last(&self, wanted: u64) -> io::Result<(u64, u64)> {
        let mut end = self.file.metadata()?.len();
        let mut piece = vec![0; PIECE];
        let mut found = 0;
        while end > 0 {
            let begin = end.saturating_sub(PIECE as u64);
            let length = usize::try_from(end - begin).unwrap_or(PIECE);
            let Some(part) = piece.get_mut(..length) else { break };
            self.file.read_exact_at(part, begin)?;
            for (index, _) in part.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
                if found == wanted {
                    return Ok((found, begin + index as u64 + 1));
                }
                found += 1;
            }
            end = begin;
        }
        Ok((found, 0))
    }
}

/// The files of the log at `path`, the oldest first. One that is renamed while we look is there once.
pub(super) fn open_all(path: &Path) -> io::Result<Vec<LogFile>> {
    let mut found: Vec<LogFile> = Vec::new();
    for number in 0.. {
        match LogFile::open(&numbered(path, number)) {
            Ok(file) if found.iter().any(|known| known.inode == file.inode) => {}
            Ok(file) => found.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    found.reverse();
    Ok(found)
}

/// Leaves the last `wanted` lines of `files`: the rest is skipped.
pub(super) fn skip_to_tail(files: &mut Vec<LogFile>, wanted: u64) -> io::Result<()> {
    let mut missing = wanted;
    let mut keep = files.len();
    for (index, file) in files.iter_mut().enumerate().rev() {
        let (found, begin) = file.last(missing)?;
        file.file.seek(SeekFrom::Start(begin))?;
        keep = index;
        missing -= found;
        // A file with exactly the wanted lines and more before them has been cut; so has one of which none is wanted.
        if missing == 0 {
            break;
        }
    }
    files.drain(..keep);
    Ok(())
}

/// `PATH.2`; number 0 is the current file.
fn numbered(path: &Path, number: u32) -> PathBuf {
    match number {
        0 => path.to_owned(),
        _ => PathBuf::from(format!("{}.{number}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(files: &mut Vec<LogFile>) -> Vec<String> {
        let mut all = Vec::new();
        for file in files {
            file.lines(|line| {
                all.push(String::from_utf8_lossy(line).trim_end().to_owned());
                Goes::On
            })
            .unwrap();
        }
        all
    }

    fn log(parts: &[&str]) -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("log");
        for (number, part) in parts.iter().rev().enumerate() {
            std::fs::write(numbered(&path, u32::try_from(number).unwrap()), part).unwrap();
        }
        (home, path)
    }

    #[test]
    fn the_oldest_file_comes_first() {
        let (_home, path) = log(&["1\n2\n", "3\n", "4\n5\n6"]);
        assert_eq!(lines(&mut open_all(&path).unwrap()), ["1", "2", "3", "4", "5"]);
    }

    #[test]
    fn the_tail_is_found_from_the_end_across_files() {
        let (_home, path) = log(&["1\n2\n", "3\n", "4\n5\n"]);
        for (wanted, expected) in [(0, ""), (1, "5"), (2, "4 5"), (3, "3 4 5"), (4, "2 3 4 5"), (9, "1 2 3 4 5")] {
            let mut files = open_all(&path).unwrap();
            skip_to_tail(&mut files, wanted).unwrap();
            assert_eq!(lines(&mut files).join(" "), expected, "the last {wanted}");
        }
    }

    #[test]
    fn a_tail_longer_than_a_piece() {
        let text = (0..50_000).map(|number| number.to_string()).collect::<Vec<_>>().join("\n") + "\n";
        let (_home, path) = log(&[&text]);
        let mut files = open_all(&path).unwrap();
        skip_to_tail(&mut files, 40_000).unwrap();
        let found = lines(&mut files);
        assert_eq!((found.len(), found[0].as_str()), (40_000, "10000"));
    }

    #[test]
    fn an_emptied_file_is_read_from_its_beginning() {
        let (_home, path) = log(&["1\n2\n"]);
        let mut files = open_all(&path).unwrap();
        assert_eq!(lines(&mut files), ["1", "2"]);
        std::fs::write(&path, "3\n").unwrap();
        assert_eq!(lines(&mut files), ["3"]);
    }
}
