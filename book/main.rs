//! The book's own program: checks the pages, replays what they say that one should type, and builds them.
//!
//! 1. `page.rs`: a page and its blocks.
//! 2. `includes.rs`, `lint.rs`: code only from the source, links that lead somewhere, words for pictures.
//! 3. `transcript.rs`, `replay.rs`: what is typed and what is printed.
//! 4. `directives.rs`, `facts.rs`, `latency.rs`, `suites.rs`, `diagram.rs`: tables and pictures, made when the book is built.
//! 5. `po.rs`, `messages.rs`: a catalogue of translations, and a page as the messages that are looked up in it.
//! 6. `freshness.rs`, `languages.rs`: what a translation lacks, and the book in every language.
//! 7. `browser/`: the built book in a real browser, as wide as a phone.
//!
//! mdBook renders a missing anchor as an empty block and says nothing: hence the checks.

mod browser;
mod diagram;
mod directives;
mod facts;
mod freshness;
mod includes;
mod languages;
mod latency;
mod lint;
mod messages;
mod page;
mod po;
mod replay;
mod suites;
mod transcript;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

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

/// Checks, replays if asked to (`check`), and builds; or prints what there is to translate (`messages`), or opens the built
/// book in a browser (`browser [DIRECTORY FOR PICTURES]`).
fn run() -> Result<()> {
    let book = Path::new(env!("CARGO_MANIFEST_DIR"));
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == "messages") {
        print!("{}", languages::template(book)?);
        return Ok(());
    }
    if arguments.first().is_some_and(|argument| argument == "browser") {
        return told(&browser::check(&book.join("build"), arguments.get(1).map(Path::new))?);
    }
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
    told(&findings)?;
    languages::build(book)
}

/// Prints the findings, and fails if there are any.
fn told(findings: &[String]) -> Result<()> {
    for finding in findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        number => bail!("the book has {number} findings"),
    }
}
