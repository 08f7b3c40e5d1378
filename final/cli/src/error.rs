//! What went wrong, as the user reads it: a sentence that names the thing, a hint that says what to do, an exit status.
//!
//! Errors are values all the way up and are printed once, in `main.rs`.

use std::fmt::Display;
use std::io;

use crate::hints;

/// The result of everything that can fail.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// The exit status of the engine's own errors in `run`, as docker has it. Everything else ends with 1.
pub(crate) const ENGINE: u8 = 125;

/// One error, or several that happened one after the other to different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    /// The sentence. Empty when there is nothing to say (the reader of our output went away).
    pub(crate) message: String,
    /// What a person can do about it.
    pub(crate) hint: Option<String>,
    /// The program's exit status, where it is not the usual one.
    pub(crate) exit: Option<u8>,
    /// Status of the daemon's answer, where one came (404, 409, …).
    pub(crate) status: Option<u16>,
    /// What follows the error once: the usage of the command, where to read more.
    pub(crate) footer: String,
    /// Errors of the other things named on the command line.
    pub(crate) others: Vec<Self>,
}

impl Error {
    /// An error of our own making.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
            exit: None,
            status: None,
            footer: String::new(),
            others: Vec::new(),
        }
    }

    /// The daemon's refusal. A second line of its message is its hint; when it gave none, ours is used.
    pub(crate) fn refused(status: u16, message: &str) -> Self {
        let (sentence, hint) = match message.trim_end().split_once('\n') {
            Some((sentence, hint)) if !hint.contains('\n') => (sentence.to_owned(), Some(hint.to_owned())),
            _ => (message.trim_end().to_owned(), None),
        };
        let hint = hint.or_else(|| hints::for_message(&sentence).map(str::to_owned));
        Self { hint, status: Some(status), ..Self::new(sentence) }
    }

    /// Nothing to say: the reader of our output went away. The status is that of a program ended by SIGPIPE.
    pub(crate) fn silent_pipe() -> Self {
        Self { exit: Some(141), ..Self::new("") }
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the exit status.
    #[must_use]
    pub(crate) fn exit(mut self, exit: u8) -> Self {
        self.exit = Some(exit);
        self
    }

    /// Adds what follows the error.
    #[must_use]
    pub(crate) fn footer(mut self, footer: String) -> Self {
        self.footer = footer;
        self
    }

    /// Whether the daemon said that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        self.status == Some(404)
    }

    /// All errors of a command that was given several things; `Ok` when there are none.
    pub(crate) fn all(errors: Vec<Self>) -> Result<()> {
        let mut errors = errors.into_iter();
        match errors.next() {
            None => Ok(()),
            Some(first) => Err(Self { others: errors.collect(), ..first }),
        }
    }

    /// The text for standard error. `name` is the program, which docker puts in front.
    pub(crate) fn report(&self, name: &str) -> String {
        if self.message.is_empty() {
            return String::new();
        }
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("hint: {hint}\n"));
        let others: String = self.others.iter().map(|error| error.report(name)).collect();
        // Two of docker's own errors begin like this, and scripts look for it.
        let name = if self.message.starts_with("Error: ") { String::new() } else { format!("{name}: ") };
        format!("{name}{}\n{hint}{others}{}", self.message, self.footer)
    }
}

/// Names what was being done when the system refused.
pub(crate) trait During<T> {
    /// `cannot STEP TARGET: REASON`.
    fn during(self, step: &str, target: impl Display) -> Result<T>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, step: &str, target: impl Display) -> Result<T> {
        self.map_err(|error| Error::new(format!("cannot {step} {target}: {}", reason(&error))))
    }
}

/// The kernel's words without the `(os error 2)` that std adds.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_line_of_an_answer_is_its_hint() {
        let error = Error::refused(500, "cannot mount /x: Permission denied\nRun the daemon as root.");
        assert_eq!(error.report("skiff"), "skiff: cannot mount /x: Permission denied\nhint: Run the daemon as root.\n");
    }

    #[test]
    fn an_answer_of_many_lines_stays_whole() {
        assert_eq!(Error::refused(500, "a\nb\nc\n").message, "a\nb\nc");
    }

    #[test]
    fn several_errors_are_reported_in_order() {
        let errors = vec![Error::new("no a"), Error::new("no b").hint("make b")];
        let error = Error::all(errors).unwrap_err();
        assert_eq!(error.report("skiff"), "skiff: no a\nskiff: no b\nhint: make b\n");
        assert_eq!(Error::all(Vec::new()), Ok(()));
    }

    #[test]
    fn the_reason_has_no_number() {
        let error = std::fs::read("/no/such/file").during("read", "/no/such/file").unwrap_err();
        assert_eq!(error.message, "cannot read /no/such/file: No such file or directory");
    }
}
