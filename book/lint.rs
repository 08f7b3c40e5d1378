//! What a page must keep to: code from the source only, links that lead somewhere, pictures with words, no slips of the pen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::includes;
use crate::page::Page;

/// Words that are written wrongly more often than others.
const SLIPS: &[&str] = &[
    "accomodate",
    "acheive",
    "adress",
    "agian",
    "alot",
    "aquire",
    "arguement",
    "beacuse",
    "becuase",
    "begining",
    "beleive",
    "calender",
    "commited",
    "comparision",
    "compatability",
    "concious",
    "contaner",
    "definately",
    "dependant",
    "developement",
    "diffrent",
    "enviroment",
    "existance",
    "explaination",
    "explicitely",
    "familar",
    "fowarding",
    "goverment",
    "gurantee",
    "happend",
    "immediatly",
    "independant",
    "infomation",
    "isnt",
    "knowlege",
    "lenght",
    "maintainance",
    "mesage",
    "namepsace",
    "neccessary",
    "occured",
    "occurence",
    "paramter",
    "permision",
    "posible",
    "prefered",
    "priviledge",
    "proccess",
    "recieve",
    "recomend",
    "refered",
    "relevent",
    "seperate",
    "shoud",
    "similiar",
    "specifiy",
    "succesful",
    "sucess",
    "teh",
    "thier",
    "throught",
    "untill",
    "usefull",
    "visable",
    "wether",
    "wich",
    "writen",
];

/// Every finding on every page.
pub(crate) fn check(pages: &[Page], sources: &Path) -> Result<Vec<String>> {
    let mut findings = includes::unused(pages, sources)?;
    findings.extend(links_of(pages));
    for page in pages {
        findings.extend(code(page));
        findings.extend(words(page));
    }
    Ok(findings)
}

/// Every link on these pages that leads nowhere.
pub(crate) fn links_of(pages: &[Page]) -> Vec<String> {
    let headings = pages.iter().map(|page| (page.path.clone(), headings(page))).collect();
    pages.iter().flat_map(|page| links(page, &headings)).collect()
}

/// A Rust block is an include and nothing else; a console block that is not replayed says why; a diagram has words.
fn code(page: &Page) -> Vec<String> {
    let mut findings = Vec::new();
    for block in page.blocks() {
        let typed = |line: &&str| !line.trim().is_empty() && !line.contains("{{#include ");
        if block.info.starts_with("rust") && block.lines.iter().any(typed) {
            findings.push(format!("{}: Rust that is not included from the source", page.at(block.line)));
        }
        if block.info.is_empty() {
            findings.push(format!("{}: a block that does not say what it is", page.at(block.line)));
        }
        if block.info == "diagram" || block.info.starts_with("diagram") && !block.info.contains('"') {
            findings.push(format!("{}: a diagram without words for who cannot see it", page.at(block.line)));
        }
    }
    for (number, line) in page.prose() {
        if line.contains("![](") {
            findings.push(format!("{}: a picture without words for who cannot see it", page.at(number)));
        }
    }
    findings
}

/// Links within the book: the page and the heading are there. Links into the repository: the file is there.
fn links(page: &Page, headings: &BTreeMap<PathBuf, BTreeSet<String>>) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in page.prose() {
        for target in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { page.path.clone() } else { sibling(page, file) };
            let known = headings.get(&path);
            if known.is_none() && !path.exists() {
                findings.push(format!("{}: {target} leads nowhere", page.at(number)));
            } else if !fragment.is_empty() && !known.is_some_and(|known| known.contains(fragment)) {
                findings.push(format!("{}: {target}: there is no such heading", page.at(number)));
            }
        }
    }
    findings
}

/// A file that is named from this page.
fn sibling(page: &Page, file: &str) -> PathBuf {
    page.path.parent().unwrap_or(Path::new("")).join(file)
}

/// The ids that mdBook gives to the headings of a page.
fn headings(page: &Page) -> BTreeSet<String> {
    let heading = |(_, line): (usize, &str)| line.starts_with('#').then(|| id(line.trim_start_matches('#').trim()));
    page.prose().into_iter().filter_map(heading).collect()
}

/// What a heading says of itself (`# Name {#id}`), or: letters and digits in lower case, blanks as hyphens, the rest left out.
pub(crate) fn id(heading: &str) -> String {
    if let Some((_, id)) = heading.strip_suffix('}').and_then(|heading| heading.rsplit_once(" {#")) {
        return id.to_owned();
    }
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// A word twice, or one of the slips.
fn words(page: &Page) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in page.prose() {
        let words: Vec<String> = line
            .split(|c: char| !c.is_alphanumeric() && c != '\'')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        for (word, next) in words.iter().zip(words.iter().skip(1)) {
            let said_twice = line.to_lowercase().contains(&format!(" {word} {word} "));
            if word == next && said_twice && !matches!(word.as_str(), "that" | "had") {
                findings.push(format!("{}: \"{word} {word}\"", page.at(number)));
            }
        }
        for word in words.iter().filter(|word| SLIPS.contains(&word.as_str())) {
            findings.push(format!("{}: \"{word}\"", page.at(number)));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page { path: PathBuf::from("/b/p.md"), text: text.to_owned() }
    }

    #[test]
    fn what_a_page_must_not_have() {
        let page =
            page("# A `b` c\n\n```rust\nfn typed() {}\n```\n```diagram\nx\n```\nseperate the the end\n![](x.svg)\n");
        let found: Vec<_> = [code(&page), words(&page)].concat();
        assert_eq!(found.len(), 5, "{found:?}");
    }

    #[test]
    fn links_lead_to_headings() {
        let page = page(
            "# A `b` c\n# D {#e}\n[good](#a-b-c) [named](#e) [bad](#a) [gone](q.md) [out](https://x.example/#y)\n",
        );
        let known = BTreeMap::from([(page.path.clone(), headings(&page))]);
        assert_eq!(
            links(&page, &known),
            ["book/src/p.md:3: #a: there is no such heading", "book/src/p.md:3: q.md leads nowhere"]
        );
    }
}
