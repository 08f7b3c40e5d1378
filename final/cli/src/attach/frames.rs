//! The framed stream: without a terminal, output and error come on one connection, each piece behind a header of 8 bytes
//! `[stream, 0, 0, 0, length as 4 bytes, most significant first]` (Docker Engine API, "Stream format").

use crate::error::{Error, Result};

/// Where a piece belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Standard output (and what the API calls stream 0, which no daemon uses).
    Output,
    /// Standard error.
    Error,
    /// A message of the daemon about the stream itself.
    Daemon,
}

/// Takes the stream apart. Pieces are handed on as they come, not when they are complete.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    header: Vec<u8>,
    /// The piece that is being read, and how much of it is left.
    piece: Option<(Channel, usize)>,
}

impl Frames {
    /// Cuts the next part out of `bytes`: a piece, or nothing when only a part of a header is left.
    pub(crate) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<(Channel, &'a [u8])>> {
        loop {
            if let Some((channel, left)) = self.piece {
                if left > 0 && bytes.is_empty() {
                    return Ok(None);
                }
                let (part, rest) = bytes.split_at(left.min(bytes.len()));
                *bytes = rest;
                self.piece = Some((channel, left - part.len())).filter(|(_, left)| *left > 0);
                if !part.is_empty() {
                    return Ok(Some((channel, part)));
                }
            }
            let wanted = 8 - self.header.len();
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            *bytes = rest;
            self.header.extend_from_slice(part);
            let &[kind, _, _, _, a, b, c, d] = self.header.as_slice() else { return Ok(None) };
            self.header.clear();
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            let channel = match kind {
                0 | 1 => Channel::Output,
                2 => Channel::Error,
                3 => Channel::Daemon,
                _ => {
                    return Err(Error::new(format!("unrecognized input header: {kind}"))
                        .hint("Was the container made with a terminal (-t)?"));
                }
            };
            self.piece = Some((channel, length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole stream fed in portions of `size`, and what came out joined per channel.
    fn demultiplex(stream: &[u8], size: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut output, mut error, mut frames) = (Vec::new(), Vec::new(), Frames::default());
        for mut portion in stream.chunks(size) {
            while let Some((channel, part)) = frames.next(&mut portion).unwrap() {
                if channel == Channel::Output { output.extend(part) } else { error.extend(part) }
            }
            assert!(portion.is_empty());
        }
        (output, error)
    }

    #[test]
    fn any_portioning_gives_the_same() {
        let stream = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x03err\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x02!\n";
        for size in 1..=stream.len() {
            assert_eq!(demultiplex(stream, size), (b"out!\n".to_vec(), b"err".to_vec()), "{size}");
        }
    }

    #[test]
    fn a_raw_stream_is_noticed() {
        let mut bytes = &b"hello world"[..];
        assert!(Frames::default().next(&mut bytes).unwrap_err().message.contains("104"));
    }
}
