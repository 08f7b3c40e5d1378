//! Reading orders: a page that says "read `launch.rs` first" must not send the reader to a file that is gone.

use std::path::Path;

/// Files named as `name.rs` or `name/` in the page's numbered or bulleted reading order that do not exist beside it.
pub(crate) fn check(file: &Path, name: &Path, text: &str) -> Vec<String> {
    let Some(page) = Page::of(file) else { return Vec::new() };
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some(item) = page.item(line) else { continue };
        for named in item.split('`').skip(1).step_by(2).filter(|word| is_file(word)) {
            let near = file.parent().unwrap_or(file);
            if !near.join(named).exists() && !near.join("src").join(named).exists() {
                findings.push(format!("{}:{}: `{named}` does not exist", name.display(), number + 1));
            }
        }
    }
    findings
}

/// The two kinds of page that have a reading order.
enum Page {
    Module,
    Readme,
}

impl Page {
    fn of(file: &Path) -> Option<Self> {
        match file.file_name()?.to_str()? {
            "lib.rs" | "mod.rs" | "main.rs" => Some(Self::Module),
            "README.md" => Some(Self::Readme),
            _ => None,
        }
    }

    /// The text of a list item, up to the colon that ends the names. In a README only numbered lists are reading orders.
    fn item<'a>(&self, line: &'a str) -> Option<&'a str> {
        let (text, bulleted) = match self {
            Self::Module => (line.strip_prefix("//!")?.trim_start(), line.starts_with("//! - ")),
            Self::Readme => (line.trim_start(), false),
        };
        let numbered = text.split_once(". ").is_some_and(|(number, _)| number.parse::<u8>().is_ok());
        (bulleted || numbered).then(|| text.split_once(": ").map_or(text, |(names, _)| names))
    }
}

fn is_file(word: &str) -> bool {
    let plain = |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./".contains(letter));
    plain(word)
        && (word.strip_suffix(".rs").is_some() || (word.ends_with('/') && word.len() > 1 && !word.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn a_file_that_is_gone_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("here.rs"), "").unwrap();
        let file = directory.path().join("lib.rs");
        let page = "//! 1. `here.rs`: one.\n//! 2. `gone.rs`, `other/`: `not_looked_at.rs`\n";
        let found = check(&file, std::path::Path::new("lib.rs"), page);
        assert_eq!(found, ["lib.rs:2: `gone.rs` does not exist", "lib.rs:2: `other/` does not exist"]);
    }
}
