//! `version`, `info`, `df`.
