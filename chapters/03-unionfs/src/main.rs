//! Chapters 1 to 3 as a program: a container with its own namespaces, limits, and layers under a writable one.
fn main() {}
