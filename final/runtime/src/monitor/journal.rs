//! How a line looks to systemd's journal: fields, one datagram a message (<https://systemd.io/JOURNAL_NATIVE_PROTOCOL>).
//!
//! ```text
//! NAME=value LF                                    a value without line feeds
//! NAME LF, its length in 8 little-endian bytes, value LF      any other
//! ```

use super::lines::LONGEST;
use super::stream::Stream;

/// The message of one `piece` of a line, with the container's own `fields`.
pub(crate) fn message(fields: &[(String, String)], stream: Stream, piece: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(piece.len() + 256);
    // Severities of syslog: informational, error.
    field(&mut message, "PRIORITY", if stream == Stream::Output { b"6" } else { b"3" });
    for (name, value) in fields {
        field(&mut message, name, value.as_bytes());
    }
    let line = piece.strip_suffix(b"\n");
    // Without a line feed it is the end of the output, or the middle of a line that was cut: only then there is so much of it.
    if line.is_none() && piece.len() > LONGEST - 4 {
        field(&mut message, "CONTAINER_PARTIAL_MESSAGE", b"true");
    }
    field(&mut message, "MESSAGE", line.unwrap_or(piece));
    message
}

fn field(message: &mut Vec<u8>, name: &str, value: &[u8]) {
    message.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        message.push(b'\n');
        message.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        message.push(b'=');
    }
    message.extend_from_slice(value);
    message.push(b'\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_a_message() {
        let fields = [("CONTAINER_NAME".to_owned(), "web".to_owned()), ("MOTTO".to_owned(), "two\nlines".to_owned())];
        let made = [
            message(&fields, Stream::Output, b"hello\n"),
            message(&[], Stream::Error, b"the end"),
            message(&[], Stream::Output, &[b'x'; LONGEST]).into_iter().take(50).collect(),
        ];
        insta::assert_snapshot!(made.map(|message| message.escape_ascii().to_string()).join("\n"), @r#"
        PRIORITY=6\nCONTAINER_NAME=web\nMOTTO\n\t\x00\x00\x00\x00\x00\x00\x00two\nlines\nMESSAGE=hello\n
        PRIORITY=3\nMESSAGE=the end\n
        PRIORITY=6\nCONTAINER_PARTIAL_MESSAGE=true\nMESSAGE=
        "#);
    }

    /// The journal's side of it.
    fn read(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let end = bytes.iter().position(|byte| matches!(byte, b'=' | b'\n')).unwrap();
            let (name, rest) = (String::from_utf8(bytes[..end].to_vec()).unwrap(), &bytes[end + 1..]);
            let (start, length) = match bytes[end] {
                b'=' => (0, rest.iter().position(|byte| *byte == b'\n').unwrap()),
                _ => (8, usize::try_from(u64::from_le_bytes(rest[..8].try_into().unwrap())).unwrap()),
            };
            fields.push((name, rest[start..start + length].to_vec()));
            assert_eq!(rest[start + length], b'\n');
            bytes = &rest[start + length + 1..];
        }
        fields
    }

    proptest! {
        #[test]
        fn whatever_a_value_holds_it_comes_back(value: String, piece: Vec<u8>) {
            let fields = read(&message(&[("NAME".to_owned(), value.clone())], Stream::Output, &piece));
            let text = piece.strip_suffix(b"\n").unwrap_or(&piece);
            prop_assert_eq!(&fields[1], &("NAME".to_owned(), value.into_bytes()));
            prop_assert_eq!(&fields[2], &("MESSAGE".to_owned(), text.to_vec()));
        }
    }
}
