//! The keys that leave a container running: `ctrl-p,ctrl-q`, as bytes to look for in what is typed.

/// The keys that are used when nobody says which.
pub(crate) const DEFAULT: &str = "ctrl-p,ctrl-q";

/// Single characters, or `ctrl-` and one of `a` to `z`, `@ [ \ ] ^ _`; separated by commas.
pub(crate) fn parse(text: &str) -> Result<Vec<u8>, String> {
    text.split(',').map(|key| byte(key).ok_or_else(|| format!("unknown character: '{key}'"))).collect()
}

/// The control character of a key is the key's own number without its upper three bits.
fn byte(key: &str) -> Option<u8> {
    match key.strip_prefix("ctrl-").map(str::as_bytes).unwrap_or_default() {
        [letter @ (b'a'..=b'z' | b'@' | b'[' | b'\\' | b']' | b'^' | b'_')] => Some(letter & 0x1f),
        _ => match key.as_bytes() {
            [single] if single.is_ascii() => Some(*single),
            _ => None,
        },
    }
}

/// Looks for the keys in a stream of input.
#[derive(Debug)]
pub(crate) struct Detector {
    keys: Vec<u8>,
    /// How many of them were typed in a row.
    seen: usize,
}

impl Detector {
    /// Looks for `keys`.
    pub(crate) fn new(keys: Vec<u8>) -> Self {
        Self { keys, seen: 0 }
    }

    /// What of `input` is to be passed on, and whether the keys were completed. Keys that may be the beginning are held
    /// back until it is clear.
    pub(crate) fn filter(&mut self, input: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(input.len());
        for &byte in input {
            if self.keys.get(self.seen) == Some(&byte) {
                self.seen += 1;
                if self.seen == self.keys.len() {
                    self.seen = 0;
                    return (out, true);
                }
                continue;
            }
            out.extend(self.keys.iter().take(self.seen));
            self.seen = usize::from(self.keys.first() == Some(&byte));
            if self.seen == 0 {
                out.push(byte);
            }
        }
        (out, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bytes() {
        assert_eq!(parse(DEFAULT).unwrap(), [16, 17]);
        assert_eq!(parse("a,ctrl-[,ctrl-_").unwrap(), [b'a', 27, 31]);
        for text in ["", "ctrl-", "ctrl-A", "ab", "a,,b"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_keys_are_found_across_reads_and_a_half_match_is_passed_on() {
        let mut detector = Detector::new(vec![16, 17]);
        assert_eq!(detector.filter(b"ls\x10"), (b"ls".to_vec(), false));
        assert_eq!(detector.filter(b"x"), (b"\x10x".to_vec(), false));
        assert_eq!(detector.filter(b"\x10\x10"), (b"\x10".to_vec(), false));
        assert_eq!(detector.filter(b"\x11rest"), (Vec::new(), true));
    }
}
