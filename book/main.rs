//! The book's own program: checks the pages, replays what they say that one should type, and builds them.
//!
//! 1. `page.rs`: a page and its blocks.
//! 2. `includes.rs`, `lint.rs`: code only from the source, links that lead somewhere, words for pictures.
//! 3. `transcript.rs`, `replay.rs`: what is typed and what is printed.
//! 4. `directives.rs`, `diagram.rs`: tables and pictures, made when the book is built.
//!
//! mdBook renders a missing anchor as an empty block and says nothing: hence the checks.

mod diagram;
mod directives;
mod includes;
mod lint;
mod page;
mod replay;
mod transcript;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use mdbook_driver::MDBook;

use page::Page;

/// Of a hundred console blocks this many may be left out of the replay, each with its reason.
const LEFT_OUT: usize = 5;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        // The causes as one line; a backtrace helps nobody who writes a page.
        Err(error) => {
            eprintln!("book: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Checks, replays if asked to, and builds.
fn run() -> Result<()> {
    let book = Path::new(env!("CARGO_MANIFEST_DIR"));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pages = Page::all(&book.join("src"))?;
    let mut findings = includes::missing(&book.join("src"))?;
    findings.extend(lint::check(&pages, &book.join(".."))?);
    if arguments.first().is_some_and(|argument| argument == "check") {
        let overwrite = std::env::var_os("TRANSCRIPTS").is_some_and(|value| value == "overwrite");
        let outcome = replay::run(&pages, arguments.get(1).map(String::as_str), overwrite)?;
        let all = outcome.replayed + outcome.left_out.len();
        outcome.left_out.iter().for_each(|reason| println!("not replayed: {reason}"));
        println!("book: {} of {all} console blocks replayed", outcome.replayed);
        if outcome.left_out.len() * 100 > all * LEFT_OUT {
            findings.push(format!("more than {LEFT_OUT} % of the console blocks are not replayed"));
        }
        findings.extend(outcome.findings);
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("the book has {} findings", findings.len());
    }
    build(book)
}

/// Builds the book into `book/build`.
fn build(root: &Path) -> Result<()> {
    let mut book = MDBook::load(root)?;
    let mut failed = None;
    book.book.for_each_chapter_mut(|chapter| match directives::expand(&chapter.content, &root.join("..")) {
        Ok(text) => chapter.content = diagram::render(&text),
        Err(error) => failed = Some(error),
    });
    if let Some(error) = failed {
        return Err(error);
    }
    book.build()?;
    println!("book: {}", root.join("build/index.html").display());
    Ok(())
}
