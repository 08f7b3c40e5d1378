//! Detach keys: the sequence (`ctrl-p,ctrl-q` unless told otherwise) by which a person leaves a terminal and the container
//! goes on. Found in what the client sends, because the program in the container must not see it.

use skiff_engine::Error;

/// Looks for the sequence in a stream that comes in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Detach {
    keys: Vec<u8>,
    /// The bytes at the end of what was read that may be the beginning of the sequence: read, not yet handed on.
    held: Vec<u8>,
}

/// What a piece of the stream amounts to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Hand these bytes on.
    On(Vec<u8>),
    /// The sequence is complete. Hand these bytes on, then leave.
    Leave(Vec<u8>),
}

impl Detach {
    /// The sequence that `text` describes, docker's own when it is empty. Each key is a character, `DEL`, or `ctrl-` and
    /// one of `a` to `z`, `@`, `[`, `\`, `]`, `^`, `_`; keys are separated by commas.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let text = if text.is_empty() { "ctrl-p,ctrl-q" } else { text };
        let keys = text.split(',').map(|key| code(key).ok_or(key)).collect::<Result<Vec<_>, _>>().map_err(|key| {
            Error::invalid(format!("invalid detach keys {text:?}: unknown key {key:?}"))
                .hint("Write keys as in ctrl-p,ctrl-q: single characters, or ctrl- and one of a-z @ [ \\ ] ^ _.")
        })?;
        Ok(Self { keys, held: Vec::new() })
    }

    /// Takes the next piece of the stream. Keys of an unfinished sequence are held back until it is clear what they are.
    pub(crate) fn scan(&mut self, piece: &[u8]) -> Passed {
        let mut out = Vec::with_capacity(piece.len() + self.held.len());
        for &byte in piece {
            self.held.push(byte);
            while !self.keys.starts_with(&self.held) {
                out.push(self.held.remove(0));
            }
            if self.held == self.keys {
                self.held.clear();
                return Passed::Leave(out);
            }
        }
        Passed::On(out)
    }
}

/// The byte that a terminal sends for a key (ascii(7)).
fn code(key: &str) -> Option<u8> {
    match key.as_bytes() {
        b"DEL" => Some(127),
        [character] if character.is_ascii() => Some(*character),
        [b'c', b't', b'r', b'l', b'-', letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
        [b'c', b't', b'r', b'l', b'-', sign @ (b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => Some(sign - b'@'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_bytes_pass() {
        assert_eq!(Detach::parse("").unwrap().scan(b"ls\nexit\n"), Passed::On(b"ls\nexit\n".to_vec()));
    }

    #[test]
    fn the_sequence_is_found_across_pieces_and_not_passed() {
        let mut detach = Detach::parse("").unwrap();
        assert_eq!(detach.scan(b"ls\x10"), Passed::On(b"ls".to_vec()));
        assert_eq!(detach.scan(b"\x11rest"), Passed::Leave(Vec::new()));
    }

    #[test]
    fn an_unfinished_sequence_is_let_go_of() {
        let mut detach = Detach::parse("").unwrap();
        assert_eq!(detach.scan(b"\x10"), Passed::On(Vec::new()));
        assert_eq!(detach.scan(b"a"), Passed::On(b"\x10a".to_vec()));
        assert_eq!(detach.scan(b"\x10\x10\x11"), Passed::Leave(b"\x10".to_vec()));
        assert_eq!(Detach::parse("a,a,b").unwrap().scan(b"aaab"), Passed::Leave(b"a".to_vec()));
    }

    #[test]
    fn keys_are_read_as_docker_reads_them() {
        let keys = |text| Detach::parse(text).map(|detach| detach.keys).map_err(|error| error.message);
        assert_eq!(keys("ctrl-@,ctrl-_,ctrl-[,x,DEL").unwrap(), [0, 31, 27, b'x', 127]);
        assert_eq!(keys("ctrl-!").unwrap_err(), "invalid detach keys \"ctrl-!\": unknown key \"ctrl-!\"");
    }
}
