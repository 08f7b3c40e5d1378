//! From a stream of bytes to the pieces that a log records: a line each, a very long line in several.

/// The longest piece, as in docker's json-file: readers of such logs expect no longer ones.
pub(crate) const LONGEST: usize = 16 * 1024;

/// One stream, cut into pieces. All pieces one after the other are the stream.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come yet; shorter than [`LONGEST`].
    begun: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes and gives out the pieces that are complete with them: up to and including a line feed, or
    /// [`LONGEST`] bytes of a longer line. Whole lines are not copied.
    pub(crate) fn feed(&mut self, mut data: &[u8], mut piece: impl FnMut(&[u8])) {
        while !data.is_empty() {
            if self.begun.is_empty() {
                let Some(end) = piece_end(data) else {
                    self.begun.extend_from_slice(data);
                    return;
                };
                let (head, rest) = data.split_at(end);
                piece(head);
                data = rest;
            } else {
                let room = (LONGEST - self.begun.len()).min(data.len());
                let line_feed = data.iter().take(room).position(|byte| *byte == b'\n');
                let (head, rest) = data.split_at(line_feed.map_or(room, |at| at + 1));
                self.begun.extend_from_slice(head);
                data = rest;
                if let Some(end) = piece_end(&self.begun) {
                    let rest = self.begun.split_off(end);
                    piece(&std::mem::replace(&mut self.begun, rest));
                }
            }
        }
    }

    /// The stream has ended: gives out what is left, a line without a line feed.
    pub(crate) fn finish(&mut self, piece: impl FnOnce(&[u8])) {
        if !self.begun.is_empty() {
            piece(&std::mem::take(&mut self.begun));
        }
    }
}

/// Where the first piece of `bytes` ends, if its end is there.
fn piece_end(bytes: &[u8]) -> Option<usize> {
    // SOLUTION log-piece
    let window = bytes.get(..LONGEST).unwrap_or(bytes);
    match window.iter().position(|byte| *byte == b'\n') {
        Some(at) => Some(at + 1),
        None if window.len() == LONGEST => Some(LONGEST - unfinished_character(window)),
        None => None,
    }
    // END SOLUTION
}

/// How many bytes at the end of `bytes` begin a UTF-8 character that is longer: a log is JSON, which has no half ones.
fn unfinished_character(bytes: &[u8]) -> usize {
    // SOLUTION log-character
    let is_start = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    let last_start = bytes.iter().rev().take(3).zip(1..).find(|(byte, _)| is_start(byte));
    match last_start {
        // The number of leading ones of the first byte is the length of the character (RFC 3629, section 3).
        Some((byte, so_far)) if byte.leading_ones() > so_far && byte.leading_ones() <= 4 => so_far as usize,
        _ => 0,
    }
    // END SOLUTION
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut pieces) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.feed(chunk, |piece| pieces.push(piece.to_vec()));
        }
        lines.finish(|piece| pieces.push(piece.to_vec()));
        pieces
    }

    #[test]
    fn a_line_is_a_piece_wherever_the_reads_were_cut() {
        assert_eq!(pieces(&[b"one\ntw", b"o\n\nthr", b"ee"]), [&b"one\n"[..], b"two\n", b"\n", b"three"]);
        assert_eq!(pieces(&[]), [] as [Vec<u8>; 0]);
    }

    #[test]
    fn a_long_line_is_several_pieces_and_its_line_feed_ends_the_last() {
        let exact = [vec![b'x'; LONGEST], b"\n".to_vec()].concat();
        assert_eq!(pieces(&[&exact]).iter().map(Vec::len).collect::<Vec<_>>(), [LONGEST, 1]);
        let longer = [vec![b'x'; 2 * LONGEST + 5], b"\ny".to_vec()].concat();
        assert_eq!(pieces(&[&longer]).iter().map(Vec::len).collect::<Vec<_>>(), [LONGEST, LONGEST, 6, 1]);
        let astride = [vec![b'x'; LONGEST - 1], "é\n".into()].concat();
        assert_eq!(pieces(&[&astride]).iter().map(Vec::len).collect::<Vec<_>>(), [LONGEST - 1, 3]);
    }

    #[test]
    fn no_character_is_cut_in_two() {
        for before in 0..4 {
            let line = [vec![b'x'; LONGEST - before], "\u{1f6f6}".repeat(10).into_bytes()].concat();
            for piece in pieces(&[&line]) {
                assert!(std::str::from_utf8(&piece).is_ok(), "{before}");
            }
        }
        // What was no text to begin with is cut anywhere.
        assert_eq!(pieces(&[&vec![0xff; LONGEST + 1]]).len(), 2);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_stream(
            chunks in prop::collection::vec(prop::collection::vec(prop_oneof![5 => any::<u8>(), 1 => Just(b'\n')], 0..300), 0..8),
            stretch in 1_usize..200,
        ) {
            let chunks: Vec<Vec<u8>> = chunks.iter().map(|chunk| chunk.repeat(stretch)).collect();
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let pieces = pieces(&chunks);
            prop_assert_eq!(pieces.concat(), chunks.concat());
            for (index, piece) in pieces.iter().enumerate() {
                prop_assert!(!piece.is_empty() && piece.len() <= LONGEST);
                prop_assert!(!piece[..piece.len() - 1].contains(&b'\n'));
                let ended = piece.ends_with(b"\n") || piece.len() > LONGEST - 4 || index + 1 == pieces.len();
                prop_assert!(ended, "piece {index} ends early");
            }
            let whole = [chunks.concat()];
            prop_assert_eq!(pieces, self::pieces(&[&whole[0]]));
        }
    }
}
