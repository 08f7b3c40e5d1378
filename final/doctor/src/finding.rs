//! One thing that was looked at, and all of them as a page.

use std::fmt::{self, Display};

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is there.
    Met,
    /// Something works differently here.
    Note,
    /// It is not there, and something will not work.
    Missing,
}

/// One thing that the engine needs or should know about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The chapter that needs it; 0 is all of them.
    pub chapter: u8,
    /// `overlay file system`, `cgroups of version 2`.
    pub what: String,
    /// How it stands.
    pub state: State,
    /// What that means for the chapter, and how to mend it; full sentences, empty when there is nothing to say.
    pub advice: String,
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chapter = if self.chapter == 0 { "all      ".to_owned() } else { format!("chapter {}", self.chapter) };
        let state = match self.state {
            State::Met => "ok",
            State::Note => "note",
            State::Missing => "MISSING",
        };
        write!(f, "{chapter}  {state:<7}  {}", self.what)?;
        self.advice.split_inclusive(". ").try_for_each(|sentence| write!(f, "\n{:20}{}", "", sentence.trim_end()))
    }
}

/// The page: a line for each finding, the advice below it, and at the end what it comes to.
pub fn report(findings: &[Finding]) -> String {
    let mut page: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let mut stopped: Vec<u8> =
        findings.iter().filter(|finding| finding.state == State::Missing).map(|finding| finding.chapter).collect();
    stopped.sort_unstable();
    stopped.dedup();
    let names: Vec<_> =
        stopped.iter().map(|chapter| if *chapter == 0 { "all".to_owned() } else { chapter.to_string() }).collect();
    page.push(match names.as_slice() {
        [] => "\nEverything that the engine needs is here.".to_owned(),
        names => format!("\nSomething is missing for: chapter {}.", names.join(", ")),
    });
    page.join("\n")
}
