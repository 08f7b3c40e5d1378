//! A page as messages: what a translator sees of it, and the page put together again from translations.
//!
//! A message is a paragraph, a heading, a list item, a cell of a table, a line of HTML with words in it, a diagram or the words
//! that stand for one. Its lines are joined, so that wrapping a paragraph in another way is no change. Code, commands and what
//! they print are no messages: they are the same in every language.

use std::collections::BTreeSet;

use crate::lint;

/// What stands behind a figure in a table.
const UNITS: [&str; 5] = ["µs", "ms", "s", "Ki", "Mi"];

/// A piece of a page: a message with what stands around it, or text that is the same in every language.
#[derive(Debug, Default, PartialEq, Eq)]
struct Piece {
    /// Marks before the message: `## `, `- `, `| `.
    before: String,
    /// The message. Empty: there is none.
    message: String,
    /// What ends it.
    after: String,
}

impl Piece {
    fn verbatim(text: impl Into<String>) -> Self {
        Self { before: text.into(), ..Self::default() }
    }

    fn new(before: impl Into<String>, message: impl Into<String>, after: impl Into<String>) -> Self {
        let (before, message, after) = (before.into(), message.into(), after.into());
        if says_something(&message) {
            Self { before, message, after }
        } else {
            Self::verbatim([before, message, after].concat())
        }
    }
}

/// The messages of a page, each once, in the page's order.
pub(crate) fn of(page: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let said = pieces(page).into_iter().map(|piece| piece.message).filter(|message| !message.is_empty());
    said.filter(|message| seen.insert(message.clone())).collect()
}

/// The page with what `translation` knows, and the rest as it is. A heading keeps the id it has in English, so that a link to
/// it is right in both languages.
pub(crate) fn translate<'a>(page: &str, translation: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut translated = String::new();
    for Piece { before, message, after } in pieces(page) {
        let known = translation(&message).filter(|_| !message.is_empty());
        translated.push_str(&before);
        translated.push_str(known.unwrap_or(&message));
        if before.starts_with('#') && known.is_some() {
            translated.push_str(&[" {#", &lint::id(&message), "}"].concat());
        }
        translated.push_str(&after);
    }
    translated
}

/// The pieces of a page.
fn pieces(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut paragraph: Option<Piece> = None;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let text = line.trim_start();
        let (indent, _) = line.split_at(line.len() - text.len());
        let marks = marks(text);
        if let (Some(open), "") = (&mut paragraph, marks) {
            open.message.push(' ');
            open.message.push_str(text.trim_end());
            continue;
        }
        pieces.extend(paragraph.take().map(close));
        match marks {
            "```" => pieces.extend(block(line, lines.by_ref())),
            "<" => pieces.push(Piece::new(indent, text, "\n")),
            "|" => pieces.extend(row(line)),
            "{{" | "\n" => pieces.push(Piece::verbatim(format!("{line}\n"))),
            marks => {
                let message = text.strip_prefix(marks).unwrap_or(text).trim_end().to_owned();
                paragraph = Some(Piece { before: format!("{indent}{marks}"), message, after: "\n".to_owned() });
                if marks.starts_with('#') {
                    pieces.extend(paragraph.take().map(close));
                }
            }
        }
    }
    pieces.extend(paragraph.take().map(close));
    pieces
}

fn close(open: Piece) -> Piece {
    Piece::new(open.before, open.message, open.after)
}

/// What a line begins with that makes it more than the next line of a paragraph; a line break for an empty line.
fn marks(text: &str) -> &str {
    if text.is_empty() {
        return "\n";
    }
    if let Some(mark) = ["```", "<", "|", "{{"].into_iter().find(|mark| text.starts_with(mark)) {
        return mark;
    }
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    let number = first.strip_suffix('.').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let heading = first.bytes().all(|byte| byte == b'#');
    let marked = !rest.is_empty() && (first == "-" || number || heading);
    text.get(..if marked { first.len() + 1 } else { 0 }).unwrap_or_default()
}

/// A fenced block. Only of a diagram two things are messages: its words, and what is drawn.
fn block<'a>(fence: &str, lines: impl Iterator<Item = &'a str>) -> Vec<Piece> {
    let inside: Vec<&str> = lines.take_while(|line| !line.trim_start().starts_with("```")).collect();
    let drawn = inside.join("\n");
    match fence.strip_prefix("```diagram \"").and_then(|rest| rest.strip_suffix('"')) {
        Some(words) => vec![Piece::new("```diagram \"", words, "\"\n"), Piece::new("", drawn, "\n```\n")],
        None => {
            vec![Piece::verbatim([fence, "\n", &drawn, if inside.is_empty() { "" } else { "\n" }, "```\n"].concat())]
        }
    }
}

/// The cells of a table's row.
fn row(line: &str) -> Vec<Piece> {
    let cells = line.trim().trim_start_matches('|').trim_end_matches('|').split('|');
    let mut row: Vec<Piece> = cells.map(|cell| Piece::new("| ", cell.trim(), " ")).collect();
    row.push(Piece::verbatim("|\n"));
    row
}

/// Whether there is something to translate: a letter that is in no code, tag, comment or link's target.
fn says_something(text: &str) -> bool {
    // A figure with its unit is the same in every language, and another after each measurement.
    if text.split_whitespace().all(|word| UNITS.contains(&word) || !word.contains(char::is_alphabetic)) {
        return false;
    }
    let (mut code, mut tag, mut target, mut previous) = (false, false, false, ' ');
    for letter in text.chars() {
        match letter {
            '`' => code = !code,
            '<' if !code => tag = true,
            '>' => tag = false,
            '(' if previous == ']' => target = true,
            ')' => target = false,
            _ if letter.is_alphabetic() && !code && !tag && !target => return true,
            _ => {}
        }
        previous = letter;
    }
    false
}

/// What a translation must have in common with the message: its code, and where its links lead.
pub(crate) fn fixed(message: &str) -> Vec<&str> {
    let code = message.split('`').skip(1).step_by(2);
    let targets = message.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let mut fixed: Vec<&str> = code.chain(targets).collect();
    fixed.sort_unstable();
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<!-- after a.md -->\n# The idea\n\n**Goal.** A line\nand the next.\n\n1. One\n   goes on.\n2. `code`\n\n\
                        | what | `x` |\n|---|---|\n| [1](p.md) | why |\n\n```console\n# not me\n```\n\n\
                        ```diagram \"a box\"\n┌─┐\n│a│\n└─┘\n```\n<details><summary>Answers</summary>\n";

    #[test]
    fn messages_are_what_is_said() {
        assert_eq!(
            of(PAGE),
            [
                "The idea",
                "**Goal.** A line and the next.",
                "One goes on.",
                "what",
                "why",
                "a box",
                "┌─┐\n│a│\n└─┘",
                "<details><summary>Answers</summary>"
            ]
        );
    }

    #[test]
    fn a_paragraph_is_replaced_and_a_heading_keeps_its_id() {
        let translation = |message: &str| match message {
            "The idea" => Some("思路"),
            "**Goal.** A line and the next." => Some("**目标**:一行。"),
            "why" => Some("原因"),
            _ => None,
        };
        let page = translate(PAGE, translation);
        assert!(page.contains("\n# 思路 {#the-idea}\n\n**目标**:一行。\n\n1. One goes on.\n2. `code`\n"), "{page}");
        assert!(page.contains("| what | `x` |\n| --- | --- |\n| [1](p.md) | 原因 |\n"), "{page}");
        assert!(page.contains("```console\n# not me\n```\n"), "{page}");
    }

    #[test]
    fn without_a_translation_a_page_says_the_same() {
        assert_eq!(of(&translate(PAGE, |_| None)), of(PAGE));
    }

    #[test]
    fn code_and_links_are_fixed_in_any_order() {
        assert_eq!(fixed("`b` and [a](x.md), `a`"), fixed("[甲](x.md)、`a` 和 `b`"));
        assert_ne!(fixed("`a`"), fixed("`b`"));
    }
}
