//! How fresh a translation is: what it lacks, what it says of an English that has changed, what no page says any more.

use std::collections::BTreeSet;

use crate::po::{Catalogue, Entry};

/// A page's name and its messages.
pub(crate) type Said = (String, Vec<String>);

/// What a message has in a catalogue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Translated,
    /// There is a translation, of an earlier wording.
    Fuzzy,
    Missing,
}

fn state(entry: Option<&Entry>) -> State {
    match entry {
        Some(entry) if entry.translation.is_empty() => State::Missing,
        Some(entry) if entry.fuzzy => State::Fuzzy,
        Some(_) => State::Translated,
        None => State::Missing,
    }
}

/// The translation of a message, if it can be shown.
pub(crate) fn current<'a>(catalogue: &'a Catalogue, message: &str) -> Option<&'a str> {
    let entry = catalogue.get(message);
    entry.filter(|entry| state(Some(entry)) == State::Translated).map(|entry| entry.translation.as_str())
}

/// Whether less than half of what a page says can be shown in the translation: all pages have some headings in common, and a
/// page with nothing but these translated is better read in English. So is a page without messages: it includes another file.
pub(crate) fn untranslated(catalogue: &Catalogue, messages: &[String]) -> bool {
    let translated = messages.iter().filter(|message| current(catalogue, message).is_some()).count();
    messages.is_empty() || translated * 2 < messages.len()
}

/// The report: a line for each page that stays in English, for each message that another page lacks, for each translation
/// that has lost its message, and the sums. `file` is the catalogue's name.
pub(crate) fn report(file: &str, catalogue: &Catalogue, book: &[Said]) -> String {
    let mut lines = Vec::new();
    let (mut translated, mut fuzzy, mut missing) = (0, 0, 0);
    for (page, messages) in book {
        if untranslated(catalogue, messages) {
            lines.push(format!("{file}: {page} is in English, {} messages", messages.len()));
            continue;
        }
        for message in messages {
            match state(catalogue.get(message)) {
                State::Translated => translated += 1,
                State::Fuzzy => {
                    fuzzy += 1;
                    lines.push(format!("{file}: {page}: fuzzy: {}", beginning(message)));
                }
                State::Missing => {
                    missing += 1;
                    lines.push(format!("{file}: {page}: missing: {}", beginning(message)));
                }
            }
        }
    }
    let said: BTreeSet<&String> = book.iter().flat_map(|(_, messages)| messages).collect();
    let stale = catalogue.iter().filter(|(message, _)| !said.contains(message));
    let stale: Vec<_> = stale
        .map(|(message, entry)| {
            format!("{file}:{}: stale, no page says this any more: {}", entry.line, beginning(message))
        })
        .collect();
    let sums = format!(
        "{file}: {translated} messages translated; {fuzzy} fuzzy and {missing} missing on translated pages; {} stale",
        stale.len()
    );
    [lines, stale, vec![sums]].concat().iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// Enough of a message to find it.
fn beginning(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(line)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::po;

    #[test]
    fn what_the_english_has_changed_is_reported() {
        let text = "msgid \"same\"\nmsgstr \"同\"\nmsgid \"new\"\nmsgstr \"新\"\nmsgid \"old\"\nmsgstr \"旧\"\n#, fuzzy\nmsgid \"nearly\"\nmsgstr \"似\"\n";
        let catalogue = po::parse(text).unwrap();
        let said = |page: &str, messages: &[&str]| {
            (page.to_owned(), messages.iter().map(|message| (*message).to_owned()).collect::<Vec<_>>())
        };
        let book = [said("a.md", &["same", "new", "changed", "nearly"]), said("b.md", &["other"])];
        assert_eq!(current(&catalogue, "same"), Some("同"));
        assert_eq!(current(&catalogue, "nearly"), None);
        assert_eq!(
            report("x.po", &catalogue, &book),
            "x.po: a.md: missing: changed\nx.po: a.md: fuzzy: nearly\nx.po: b.md is in English, 1 messages\n\
             x.po:5: stale, no page says this any more: old\n\
             x.po: 2 messages translated; 1 fuzzy and 1 missing on translated pages; 1 stale\n"
        );
    }
}
