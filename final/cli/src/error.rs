//! What went wrong, as the user reads it: a sentence that names the thing, a hint that says what to do, an exit status.
//!
//! Errors are values all the way up and are printed once, in `main.rs`.

use std::fmt::Display;
use std::io;

use crate::{hints, output};

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
    /// What stands in front of a sentence that the daemon said. Scripts look for docker's words for that.
    speaker: &'static str,
    /// Whether the name of the program stands in front, as docker has it for `run` and for command lines it cannot use.
    pub(crate) named: bool,
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
            speaker: "",
            named: false,
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
        Self { hint, status: Some(status), speaker: "Error response from daemon: ", ..Self::new(sentence) }
    }

    /// The daemon's refusal in the middle of an answer, which docker prints as it is.
    pub(crate) fn midway(status: u16, message: &str) -> Self {
        Self { speaker: "", ..Self::refused(status, message) }
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

    /// Puts what was being done in front of the sentence.
    #[must_use]
    pub(crate) fn while_doing(self, what: impl Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// Puts the name of the program in front.
    #[must_use]
    pub(crate) fn named(mut self) -> Self {
        self.named = true;
        self
    }

    /// Adds another error that is told after this one.
    #[must_use]
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.others.push(other);
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

    /// What is left of the errors without those about things that are not there, which are told at once.
    pub(crate) fn except_not_found(mut self) -> Option<Self> {
        let others = std::mem::take(&mut self.others);
        let (gone, left): (Vec<_>, Vec<_>) = std::iter::once(self).chain(others).partition(Self::is_not_found);
        for error in gone {
            output::notice(error.sentence());
        }
        Self::all(left).err()
    }

    /// All errors of a command that was given several things; `Ok` when there are none.
    pub(crate) fn all(errors: Vec<Self>) -> Result<()> {
        let mut errors = errors.into_iter();
        match errors.next() {
            None => Ok(()),
            Some(mut first) => {
                first.others.extend(errors);
                Err(first)
            }
        }
    }

    /// The sentence, and that the daemon said it where it did.
    pub(crate) fn sentence(&self) -> String {
        format!("{}{}", self.speaker, self.message)
    }

    /// The text for standard error. `name` is the program.
    pub(crate) fn report(&self, name: &str) -> String {
        if self.message.is_empty() {
            return String::new();
        }
        let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("hint: {hint}\n"));
        let others: String = self.others.iter().map(|error| error.report(name)).collect();
        let name = if self.named { format!("{name}: ") } else { String::new() };
        format!("{name}{}\n{hint}{others}{}", self.sentence(), self.footer)
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

/// Names a file of the user's that could not be opened, as docker does: `open FILE: no such file or directory`.
pub(crate) trait Opening<T> {
    /// Adds the file's name.
    fn opening(self, file: impl Display) -> Result<T>;
}

impl<T> Opening<T> for io::Result<T> {
    fn opening(self, file: impl Display) -> Result<T> {
        self.map_err(|error| Error::new(format!("open {file}: {}", reason(&error).to_lowercase())))
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
        let text = "Error response from daemon: cannot mount /x: Permission denied\nhint: Run the daemon as root.\n";
        assert_eq!(error.report("skiff"), text);
        assert_eq!(error.named().report("skiff"), format!("skiff: {text}"));
    }

    #[test]
    fn an_answer_of_many_lines_stays_whole() {
        assert_eq!(Error::refused(500, "a\nb\nc\n").message, "a\nb\nc");
    }

    #[test]
    fn several_errors_are_reported_in_order() {
        let errors = vec![Error::new("no a"), Error::new("no b").hint("make b")];
        let error = Error::all(errors).unwrap_err();
        assert_eq!(error.report("skiff"), "no a\nno b\nhint: make b\n");
        assert_eq!(Error::all(Vec::new()), Ok(()));
    }

    #[test]
    fn the_reason_has_no_number() {
        let error = std::fs::read("/no/such/file").during("read", "/no/such/file").unwrap_err();
        assert_eq!(error.message, "cannot read /no/such/file: No such file or directory");
    }
}
