//! What went wrong, in docker's words where clients compare them, and the HTTP status that says the same.

use std::fmt::{self, Display};

use namespaces::Failure;

/// The result of every fallible call of the engine.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error as a client of the API sees it: a status and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What sort of error; decides the HTTP status.
    pub kind: Kind,
    /// The sentence. Names the thing it is about.
    pub message: String,
    /// What a person can do about it, a full sentence.
    pub hint: Option<String>,
}

/// The sorts of errors that the Docker Engine API tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing to do: start of a running container, stop of a stopped one (304).
    NotModified,
    /// The request makes no sense (400).
    Invalid,
    /// A registry refused the credentials (401).
    Unauthorized,
    /// The request makes sense and is refused (403).
    Forbidden,
    /// There is no such thing (404).
    NotFound,
    /// Something else is in the way: a name taken, a container running (409).
    Conflict,
    /// The engine or the kernel could not (500).
    Internal,
    /// Docker has it, this engine has not (501).
    Unsupported,
    /// Not now: the engine is starting or stopping (503).
    Unavailable,
}

impl Kind {
    /// The HTTP status code.
    pub fn status(self) -> u16 {
        match self {
            Self::NotModified => 304,
            Self::Invalid => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Internal => 500,
            Self::Unsupported => 501,
            Self::Unavailable => 503,
        }
    }
}

impl Error {
    /// An error of `kind` with its sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// 304: nothing to do.
    pub fn not_modified(message: impl Into<String>) -> Self {
        Self::new(Kind::NotModified, message)
    }

    /// 400: the request makes no sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// 403: refused.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// 409: something else is in the way.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    /// 500: the engine or the kernel could not.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// 501: docker has it, this engine has not.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// A failed step of a chapter that the client's request is to blame for (400).
    pub fn refusal(failure: Failure) -> Self {
        Self { kind: Kind::Invalid, ..failure.into() }
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n{hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// A failed step of a chapter is the engine's own trouble unless the caller knows better.
impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self { kind: Kind::Internal, message: failure.to_string(), hint: failure.hint }
    }
}

impl From<tokio::task::JoinError> for Error {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::internal(format!("a task of the engine ended early: {error}"))
    }
}
