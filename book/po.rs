//! Catalogues of translated messages: the part of gettext's PO format that a book needs (gettext manual, "PO Files").
//!
//! ```text
//! #: ready.md                       where the message is: a remark, as every line that begins with `#`
//! #, fuzzy                          the English has changed since: somebody must look at the translation
//! msgid "Getting "                  what the page says; strings in a row are one string
//! "ready"
//! msgstr "准备工作"                  what the translation says; empty when there is none yet
//! ```
//!
//! Why a reader of our own: a book has no plurals and no contexts, and what is left of the format is this page. Everything
//! that changes a catalogue is left to gettext's own programs (`msgmerge`, `msgfmt --check`), which every translator knows.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};

/// A message's translation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Line of its `msgid`, from 1.
    pub(crate) line: usize,
    /// What the translation says. Empty: not translated.
    pub(crate) translation: String,
    /// Whether it is marked as the translation of something that the English no longer says.
    pub(crate) fuzzy: bool,
}

/// The messages of a language, by what the English says.
pub(crate) type Catalogue = BTreeMap<String, Entry>;

/// Reads a catalogue. The entry for the empty message, which holds facts about the file, is left out.
///
/// # Errors
///
/// With the line's number: a message that is there twice, a string that is not closed, a keyword that a book does not need.
pub(crate) fn parse(text: &str) -> Result<Catalogue> {
    let mut catalogue = Catalogue::new();
    let (mut message, mut fuzzy) = (None, false);
    for Statement { line, keyword, value } in statements(text)? {
        match keyword {
            "#," => fuzzy = value.split(',').any(|flag| flag.trim() == "fuzzy"),
            "msgid" => message = Some((line, value)),
            "msgstr" => {
                let Some((line, message)) = message.take() else { bail!("line {line}: a translation of nothing") };
                let entry = Entry { line, translation: value, fuzzy: std::mem::take(&mut fuzzy) };
                if let Some(first) = (!message.is_empty()).then(|| catalogue.insert(message, entry)).flatten() {
                    bail!("line {line}: line {} has this message already", first.line);
                }
            }
            other => bail!("line {line}: {other} has no meaning in a book"),
        }
    }
    Ok(catalogue)
}

/// A keyword with all its strings.
struct Statement<'a> {
    line: usize,
    keyword: &'a str,
    value: String,
}

/// The statements of a file, flags (`#,`) among them; other remarks, obsolete entries (`#~`) too, are left out.
fn statements(text: &str) -> Result<Vec<Statement<'_>>> {
    let mut found: Vec<Statement<'_>> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let (number, line) = (at + 1, line.trim());
        if let Some(flags) = line.strip_prefix("#,") {
            found.push(Statement { line: number, keyword: "#,", value: flags.to_owned() });
        } else if line.starts_with('"') {
            let Some(open) = found.last_mut() else { bail!("line {number}: a string without a keyword") };
            open.value.push_str(&unquote(line).with_context(|| format!("line {number}"))?);
        } else if !line.is_empty() && !line.starts_with('#') {
            let (keyword, string) = line.split_once(' ').unwrap_or((line, ""));
            let value = unquote(string.trim()).with_context(|| format!("line {number}"))?;
            found.push(Statement { line: number, keyword, value });
        }
    }
    Ok(found)
}

/// What stands between the quotation marks.
fn unquote(string: &str) -> Result<String> {
    let inner = string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).context("a string is not closed")?;
    let mut value = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match (letter, if letter == '\\' { letters.next() } else { None }) {
            ('\\', Some('n')) => value.push('\n'),
            ('\\', Some('t')) => value.push('\t'),
            ('\\', Some(mark @ ('"' | '\\'))) => value.push(mark),
            ('\\', _) => bail!("a backslash before something unknown"),
            ('"', _) => bail!("a quotation mark within a string"),
            (letter, _) => value.push(letter),
        }
    }
    Ok(value)
}

/// The entry of a message that has no translation yet, as a translator's program reads it.
pub(crate) fn template(page: &str, message: &str) -> String {
    let quoted = message.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t").replace('\n', "\\n");
    format!("#: {page}\nmsgid \"{quoted}\"\nmsgstr \"\"\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_in_a_row_are_one_and_flags_belong_to_the_next_entry() {
        let text = "msgid \"\"\nmsgstr \"Language: zh-CN\\n\"\n\n#: a.md\n#, fuzzy\n#| msgid \"then\"\nmsgid \"a \"\n\"\\\"b\\\"\"\n\
                    msgstr \"\"\n\"甲\\n\"\n\"乙\"\n\nmsgid \"c\"\nmsgstr \"\"\n#~ msgid \"gone\"\n#~ msgstr \"x\"\n";
        let catalogue = parse(text).unwrap();
        assert_eq!(catalogue.len(), 2);
        assert_eq!(catalogue["a \"b\""], Entry { line: 7, translation: "甲\n乙".into(), fuzzy: true });
        assert_eq!(catalogue["c"], Entry { line: 13, translation: String::new(), fuzzy: false });
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let wrong = |text: &str| format!("{:#}", parse(text).unwrap_err());
        assert_eq!(
            wrong("msgid \"a\"\nmsgstr \"\"\nmsgid \"a\"\nmsgstr \"\"\n"),
            "line 3: line 1 has this message already"
        );
        assert_eq!(wrong("msgid \"a\n"), "line 1: a string is not closed");
        assert_eq!(wrong("msgctxt \"a\"\n"), "line 1: msgctxt has no meaning in a book");
        assert_eq!(wrong("msgstr \"a\"\n"), "line 1: a translation of nothing");
    }

    #[test]
    fn a_template_reads_back() {
        let message = "tab\t, line\n, \"mark\" and \\";
        assert!(parse(&template("a.md", message)).unwrap().contains_key(message));
    }
}
