//! What can go wrong with images, in a form that the engine can sort.
//!
//! A [`Failure`] has the words for a person. The engine also has to choose an HTTP status, and for that it needs a
//! kind.
//!
//! | kind          | HTTP | example                                                 |
//! |---------------|------|---------------------------------------------------------|
//! | `NotFound`    | 404  | `No such image: busybox:latest`                         |
//! | `Invalid`     | 400  | `invalid reference format`                              |
//! | `Conflict`    | 409  | `conflict: unable to remove repository reference …`     |
//! | `Denied`      | 404  | `pull access denied for …` (docker does not say 403)    |
//! | `NoSpace`     | 500  | `cannot write …: No space left on device`               |
//! | `Unavailable` | 500  | `cannot reach the registry …`                           |
//! | `System`      | 500  | everything that a system call refused                   |

use std::convert::Infallible;
use std::fmt::{self, Display};
use std::io;

use namespaces::{Context, Failure};
use rustix::io::Errno;

/// The result of every fallible call of this chapter.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure and its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    failure: Box<Failure>,
    /// The sentence that docker's clients know, where there is one.
    words: Option<String>,
}

/// What sort of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No such image, tag, manifest or layer, here or in the registry.
    NotFound,
    /// What was asked makes no sense: a malformed reference, an archive that is no image, content with the wrong
    /// digest.
    Invalid,
    /// It is in use, or a name is ambiguous.
    Conflict,
    /// The registry wants other credentials, or has nothing of this name to show.
    Denied,
    /// The disk is full.
    NoSpace,
    /// The registry does not answer, or answers with an error of its own.
    Unavailable,
    /// The machine or the engine itself.
    System,
}

impl Error {
    /// A failure of this kind, printed as the failure says.
    pub fn new(kind: Kind, failure: Failure) -> Self {
        Self { kind, failure: Box::new(failure), words: None }
    }

    /// A failure of this kind whose text is docker's, word for word, because clients look for it.
    pub fn worded(kind: Kind, words: impl Into<String>) -> Self {
        let words = words.into();
        Self { kind, failure: Box::new(Failure::new("use the image", &words)), words: Some(words) }
    }

    /// Adds what a person can do about it, a full sentence.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.failure.hint = Some(hint.into());
        self
    }

    /// What sort of failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Step, target, cause, errno and hint.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// What a person can do about it, a full sentence.
    pub fn hint(&self) -> Option<&str> {
        self.failure.hint.as_deref()
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.words {
            Some(words) => f.write_str(words),
            None => Display::fmt(&self.failure, f),
        }
    }
}

impl std::error::Error for Error {}

/// The kind is read from the errno where there is one.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let full = [Errno::NOSPC, Errno::DQUOT].iter().any(|errno| failure.is(*errno));
        let kind = if full { Kind::NoSpace } else { Kind::System };
        let hint = "Free some space on this file system, or use another data directory (--data-root).";
        let failure = if full && failure.hint.is_none() { failure.hint(hint) } else { failure };
        Self::new(kind, failure)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        *error.failure
    }
}

/// A failure that travels through a [`Read`](io::Read) keeps its kind; see [`Error::of_read`].
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

impl Error {
    /// The error of a read: one of ours that comes back, a system call's, or a decoder's complaint about its input.
    pub fn of_read(error: io::Error, step: &str) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(ours) => return ours,
            Err(error) => error,
        };
        let Err(failure) = Err::<Infallible, _>(error).step(step);
        Self::of_archive(failure)
    }

    /// The failure of something that reads an archive: without an errno it is the archive that is at fault.
    pub fn of_archive(failure: Failure) -> Self {
        match failure.errno {
            Some(_) => failure.into(),
            None => Self::new(Kind::Invalid, failure),
        }
    }
}
