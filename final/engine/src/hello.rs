//! The image `hello:latest`, which is always there.
