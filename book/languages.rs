//! Builds the book in English, then in every language that has a catalogue, and links each page to itself in the other.
//!
//! The English text is the source. What a catalogue does not know is shown in English, and a page of which it knows too
//! little stays in English and says so at its top. Each build prints how fresh a translation is; that the English has moved on stops no build.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;

use crate::freshness::{self, Said};
use crate::page::Page;
use crate::po::{self, Catalogue};
use crate::{diagram, directives, lint, messages};

/// Languages with a catalogue in `po/`, and what each is called by those who read it.
const TRANSLATIONS: [(&str, &str); 1] = [("zh-CN", "简体中文")];
/// The language of the source.
const SOURCE: (&str, &str) = ("en", "English");
/// The message at the top of a page that is not translated.
const NOTICE: &str = "This page is not translated yet. What follows is the English text.";
/// Where mdBook's page has its buttons; the way to the other language is put there.
const BUTTONS: &str = "<div class=\"right-buttons\">";

/// Builds the English book into `book/build`, and each translation into a directory of that.
pub(crate) fn build(root: &Path) -> Result<()> {
    // The English first: mdBook empties the directory that it builds into.
    let mut english = load(root)?;
    english.book.for_each_chapter_mut(|chapter| chapter.content = diagram::render(&chapter.content));
    english.build()?;
    for (language, name) in TRANSLATIONS {
        let file = format!("book/po/{language}.po");
        let path = root.join("..").join(&file);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {file}"))?;
        let catalogue = po::parse(&text).with_context(|| format!("cannot read {file}"))?;
        translate(root, language, &file, &catalogue)?;
        for page in built(&english) {
            link(&root.join("build"), &page, (language, name))?;
        }
    }
    println!("book: {}", root.join("build/index.html").display());
    Ok(())
}

/// Every message of the book as a catalogue without translations: what `msgmerge` brings a translation up to date with.
pub(crate) fn template(root: &Path) -> Result<String> {
    let mut template = "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n\n".to_owned();
    let mut seen = BTreeSet::new();
    for (page, messages) in said(&load(root)?) {
        for message in messages {
            if !seen.contains(&message) {
                template.push_str(&po::template(&page, &message));
                seen.insert(message);
            }
        }
    }
    Ok(template)
}

/// The book with its tables, before its diagrams are drawn.
fn load(root: &Path) -> Result<MDBook> {
    let mut book = MDBook::load(root)?;
    let mut failed = None;
    book.book.for_each_chapter_mut(|chapter| match directives::expand(&chapter.content, &root.join("..")) {
        Ok(text) => chapter.content = text,
        Err(error) => failed = Some(error),
    });
    failed.map_or(Ok(book), Err)
}

/// Everything the book says, by page. What is on no page, or on all, counts as the summary's.
fn said(book: &MDBook) -> Vec<Said> {
    let mut summary = vec![NOTICE.to_owned()];
    summary.extend(book.config.book.title.clone());
    let mut said = Vec::new();
    for item in book.iter() {
        match item {
            BookItem::PartTitle(title) => summary.push(title.clone()),
            BookItem::Chapter(chapter) => {
                summary.push(chapter.name.clone());
                let page = chapter.source_path.clone().unwrap_or_default();
                said.push((page.display().to_string(), messages::of(&chapter.content)));
            }
            BookItem::Separator => {}
        }
    }
    said.insert(0, ("SUMMARY.md".to_owned(), summary));
    said
}

/// Builds one translation, checks it, and prints how fresh it is.
fn translate(root: &Path, language: &str, file: &str, catalogue: &Catalogue) -> Result<()> {
    let mut book = load(root)?;
    let said = said(&book);
    let known = |message: &str| freshness::current(catalogue, message);
    let name = |english: &mut String| *english = known(english).unwrap_or(english).to_owned();
    let mut pages = Vec::new();
    book.book.for_each_mut(|item| match item {
        BookItem::PartTitle(title) => name(title),
        BookItem::Chapter(chapter) => {
            name(&mut chapter.name);
            let text = page(&chapter.content, catalogue);
            chapter.content = diagram::render(&text);
            pages.push(Page {
                path: root.join("src").join(chapter.source_path.as_deref().unwrap_or(Path::new(""))),
                text,
            });
        }
        BookItem::Separator => {}
    });
    book.config.book.title.iter_mut().for_each(name);
    book.config.book.language = Some(language.to_owned());
    book.config.build.build_dir = Path::new("build").join(language);
    book.build()?;
    print!("{}", freshness::report(file, catalogue, &said));
    let mut findings = altered(file, catalogue, &said);
    findings.extend(lint::links_of(&pages).into_iter().map(|finding| format!("{language}: {finding}")));
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("the translation {file} has {} findings", findings.len());
    }
    Ok(())
}

/// A page in a translation; all of it in English, and marked so, if too little of it is translated.
fn page(english: &str, catalogue: &Catalogue) -> String {
    if freshness::untranslated(catalogue, &messages::of(english)) {
        let notice = freshness::current(catalogue, NOTICE).unwrap_or(NOTICE);
        return format!("> {notice}\n\n<div lang=\"{}\">\n\n{english}\n\n</div>\n", SOURCE.0);
    }
    messages::translate(english, |message| freshness::current(catalogue, message))
}

/// Translations whose code or links are not those of the English: a command that was "translated", a link that was lost.
fn altered(file: &str, catalogue: &Catalogue, said: &[Said]) -> Vec<String> {
    let mut findings = Vec::new();
    for message in said.iter().flat_map(|(_, messages)| messages).collect::<BTreeSet<_>>() {
        let (Some(translation), Some(entry)) = (freshness::current(catalogue, message), catalogue.get(message)) else {
            continue;
        };
        let (wanted, found) = (messages::fixed(message), messages::fixed(translation));
        if wanted != found {
            findings.push(format!("{file}:{}: code or links differ: {wanted:?} became {found:?}", entry.line));
        }
    }
    findings
}

/// The pages that were built, as paths in the directory of the book.
fn built(book: &MDBook) -> Vec<PathBuf> {
    let chapters = book.book.chapters().filter_map(|chapter| chapter.path.as_ref());
    let chapters = chapters.map(|path| path.with_extension("html"));
    chapters.chain([PathBuf::from("index.html"), PathBuf::from("print.html")]).collect()
}

/// Links a page of the English book to the translation's, and that one back.
fn link(build: &Path, page: &Path, (language, name): (&str, &str)) -> Result<()> {
    let up = "../".repeat(page.components().count().saturating_sub(1));
    let page = page.display();
    insert(&build.join(page.to_string()), &format!("{up}{language}/{page}"), (language, name))?;
    insert(&build.join(language).join(page.to_string()), &format!("{up}../{page}"), SOURCE)
}

/// Puts a link before the buttons of a page.
fn insert(file: &Path, target: &str, (language, name): (&str, &str)) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    ensure!(text.contains(BUTTONS), "{} has no place for the link to {name}", file.display());
    let link = format!(
        "{BUTTONS}\n<a class=\"language\" href=\"{target}\" lang=\"{language}\" hreflang=\"{language}\">{name}</a>"
    );
    std::fs::write(file, text.replacen(BUTTONS, &link, 1))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_translations_is_marked() {
        let catalogue =
            po::parse(&format!("msgid \"{NOTICE}\"\nmsgstr \"尚未翻译\"\nmsgid \"b\"\nmsgstr \"乙\"\n")).unwrap();
        assert_eq!(page("a\n", &catalogue), "> 尚未翻译\n\n<div lang=\"en\">\n\na\n\n\n</div>\n");
        assert_eq!(page("a\n\nb\n", &catalogue), "a\n\n乙\n");
        assert!(page("{{#include other.md}}\n", &catalogue).starts_with("> 尚未翻译\n"));
    }

    #[test]
    fn a_translated_command_is_found() {
        let catalogue = po::parse("msgid \"type `ls`\"\nmsgstr \"输入 `列出`\"\n").unwrap();
        let said = [("a.md".to_owned(), vec!["type `ls`".to_owned()])];
        assert_eq!(altered("x.po", &catalogue, &said), ["x.po:1: code or links differ: [\"ls\"] became [\"列出\"]"]);
    }

    #[test]
    fn each_page_leads_to_itself_in_the_other_language() {
        let build = tempfile::tempdir().unwrap();
        let read = |page: &str| std::fs::read_to_string(build.path().join(page)).unwrap();
        for page in ["d/a.html", "xx/d/a.html"] {
            std::fs::create_dir_all(build.path().join(page).parent().unwrap()).unwrap();
            std::fs::write(build.path().join(page), BUTTONS).unwrap();
        }
        link(build.path(), Path::new("d/a.html"), ("xx", "X")).unwrap();
        assert!(read("d/a.html").contains("href=\"../xx/d/a.html\" lang=\"xx\""));
        assert!(read("xx/d/a.html").contains("href=\"../../d/a.html\" lang=\"en\""));
        std::fs::write(build.path().join("d/a.html"), "nothing").unwrap();
        assert!(link(build.path(), Path::new("d/a.html"), ("xx", "X")).is_err());
    }
}
