//! JSON with the indentation of `inspect`: four spaces, one member per line.
//!
//! The bytes between the punctuation are kept as the daemon sent them: order of members, spelling of numbers, escapes.

/// Lays out one JSON value. Anything else is returned with its white space removed; it never fails.
pub(crate) fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut characters = json.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                out.push(c);
                string(&mut characters, &mut out);
            }
            '{' | '[' => {
                out.push(c);
                while characters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(close) = characters.next_if(|&c| c == '}' || c == ']') {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Copies the rest of a string, up to and with its closing quote.
fn string(characters: &mut impl Iterator<Item = char>, out: &mut String) {
    while let Some(c) = characters.next() {
        out.push(c);
        match c {
            '\\' => out.extend(characters.next()),
            '"' => return,
            _ => {}
        }
    }
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("    ", depth));
}

#[cfg(test)]
mod tests {
    use super::indent;

    #[test]
    fn members_stand_on_lines_of_their_own() {
        let json = r#"[{"Id":"a\"{,b","Empty":{ },"List":[],"N":1.50,"Inner":{"x":[1,null]}}]"#;
        insta::assert_snapshot!(indent(json), @r#"
        [
            {
                "Id": "a\"{,b",
                "Empty": {},
                "List": [],
                "N": 1.50,
                "Inner": {
                    "x": [
                        1,
                        null
                    ]
                }
            }
        ]
        "#);
    }
}
